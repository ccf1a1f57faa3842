import Glibc

/// The variables of this process.
enum ProcessVariables {
    static func value(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}

extension Credentials {
    /// - Parameter value: a variable's value, by its name.
    init(environment value: (String) -> String?) throws(ObjectError) {
        func required(_ name: String) throws(ObjectError) -> String {
            guard let text = value(name), !text.isEmpty else { throw .credentials("\(name) is not set") }
            return text
        }
        let token = value("AWS_SESSION_TOKEN") ?? ""
        self.init(
            accessKeyID: try required("AWS_ACCESS_KEY_ID"), secretAccessKey: try required("AWS_SECRET_ACCESS_KEY"),
            sessionToken: token.isEmpty ? nil : token)
    }
}
