import CPQ

/// A connection string, as libpq reads it before it connects.
enum ConnectionString {
    /// Refuses a text that libpq cannot read, or in which a password is taken for a host or a port.
    ///
    /// The errors repeat no part of the text: libpq's own messages quote what they cannot read, which may be a piece of
    /// the password.
    static func check(_ text: String) throws(PostgresError) {
        guard let options = PQconninfoParse(text, nil) else {
            throw .rejected("libpq cannot read the connection string; \(expectation)")
        }
        defer { PQconninfoFree(options) }
        let hosts = value(of: "host", in: options).split(separator: ",")
        guard hosts.allSatisfy({ $0.hasPrefix("/") || !$0.contains("@") }) else {
            throw .rejected("a host of the connection string has an @; \(expectation)")
        }
        let ports = value(of: "port", in: options).split(separator: ",")
        guard ports.allSatisfy({ UInt16($0).map { $0 > 0 } ?? false }) else {
            throw .rejected("a port of the connection string is not a number from 1 to 65535; \(expectation)")
        }
    }

    /// Whether a connection leaves the machine and nobody checks who answers.
    ///
    /// - Parameters:
    ///   - address: the server's; empty for a Unix socket.
    ///   - mode: libpq's `sslmode`.
    static func isExposed(to address: String, mode: String) -> Bool {
        !address.isEmpty && !address.hasPrefix("127.") && address != "::1" && mode != "verify-full"
    }

    private static let expectation =
        "expected postgresql://USER@HOST:PORT/DATABASE?NAME=VALUE, with %-escapes for the special characters of a user "
        + "and a password"

    /// An option's value; empty where the text does not give it.
    static func value(of name: String, in options: UnsafeMutablePointer<PQconninfoOption>) -> String {
        var next = options
        while let keyword = next.pointee.keyword {
            if String(cString: keyword) == name { return next.pointee.val.map { String(cString: $0) } ?? "" }
            next += 1
        }
        return ""
    }
}
