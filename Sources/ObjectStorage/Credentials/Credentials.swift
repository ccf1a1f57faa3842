/// A key to sign requests with. No description shows more than the access key's id.
package struct Credentials: Sendable, Hashable {
    package let accessKeyID: String
    let secretAccessKey: String
    let sessionToken: String?
    /// In seconds since 1970-01-01 UTC; nil where they do not expire.
    package let expiration: Int64?

    package init(
        accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil, expiration: Int64? = nil
    ) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
        self.expiration = expiration
    }
}

extension Credentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "credentials of \(accessKeyID)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: ["accessKeyID": accessKeyID]) }
}
