import HTTPServing
import HTTPTypes
import ObjectStorage

/// Checks that a request is signed by the one key that the server knows, as S3 does.
struct SignatureCheck: Sendable {
    /// How far a request's time may be from the server's, in seconds.
    private static let mostSkew: Int64 = 900

    let credentials: Credentials
    let sessionToken: String?
    let region: String

    /// - Returns: the SHA-256 that the body must have, in hexadecimal digits; nil where it is not signed.
    func check(_ request: Request, at now: CalendarTime) throws(S3Failure) -> String? {
        guard let header = request.headerFields[.authorization] else { throw .accessDenied("it is not signed") }
        guard let authorization = Authorization(header) else { throw .accessDenied("Authorization is malformed") }
        guard authorization.accessKeyID == credentials.accessKeyID else { throw .invalidAccessKeyID }
        guard sessionToken == nil || field("x-amz-security-token", of: request) == sessionToken else {
            throw .invalidToken
        }
        guard let time = field("x-amz-date", of: request).flatMap(CalendarTime.init(parsing:)) else {
            throw .accessDenied("x-amz-date is missing")
        }
        guard abs(time.seconds - now.seconds) <= Self.mostSkew else { throw .requestTimeTooSkewed }
        guard let payload = field("x-amz-content-sha256", of: request) else { throw .contentDigestMissing }
        guard payload.utf8.count == 64 || payload == SigV4.unsignedPayload else {
            throw .notImplemented("the payload \(payload)")
        }
        try checkNames(authorization.names, request)
        let fields = authorization.names.map { name in
            (name: name, value: values(name, of: request).joined(separator: ","))
        }
        let signed = SigV4.Request(
            method: request.method.rawValue, path: request.path, query: request.query.pairs.map { ($0.name, $0.value) },
            fields: fields, payload: payload)
        let expected = SigV4(credentials, at: time, region: region).authorization(for: signed)
        guard let ours = Authorization(expected), ours == authorization else { throw .signatureDoesNotMatch }
        return payload == SigV4.unsignedPayload ? nil : payload
    }

    /// S3 wants the host and all of its own fields to be signed.
    private func checkNames(_ names: [String], _ request: Request) throws(S3Failure) {
        guard names.contains("host") else { throw .accessDenied("Host is not signed") }
        for field in request.headerFields where field.name.canonicalName.hasPrefix("x-amz-") {
            guard names.contains(field.name.canonicalName) else {
                throw .accessDenied("\(field.name.canonicalName) is not signed")
            }
        }
        for name in names where values(name, of: request).isEmpty { throw .signatureDoesNotMatch }
    }

    private func values(_ name: String, of request: Request) -> [String] {
        request.headerFields.filter { $0.name.canonicalName == name }.map(\.value)
    }

    private func field(_ name: String, of request: Request) -> String? { values(name, of: request).first }
}

/// `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`
private struct Authorization: Hashable {
    let accessKeyID: String
    /// Day, region, service and the end.
    let scope: String
    let names: [String]
    let signature: String

    init?(_ text: String) {
        let prefix = SigV4.algorithm + " "
        guard text.hasPrefix(prefix) else { return nil }
        var values: [String: String] = [:]
        for part in text.dropFirst(prefix.count).split(separator: ",") {
            let halves = part.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
            guard halves.count == 2, values.updateValue(String(halves[1]), forKey: String(halves[0])) == nil else {
                return nil
            }
        }
        guard values.count == 3, let credential = values["Credential"], let names = values["SignedHeaders"],
            let signature = values["Signature"], let slash = credential.firstIndex(of: "/")
        else { return nil }
        accessKeyID = String(credential[..<slash])
        scope = String(credential[credential.index(after: slash)...])
        self.names = names.split(separator: ";").map(String.init)
        self.signature = signature
    }
}
