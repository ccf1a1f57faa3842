/// A name that is safe in paths, file names and logs: `[a-z0-9][a-z0-9._-]{0,63}`.
package protocol CheckedName: RawRepresentable, Hashable, Comparable, Codable, Sendable, CustomStringConvertible
where RawValue == String {
    /// The kind of thing that has the name, for errors: "federation", "client".
    static var noun: String { get }
    init(unchecked: String)
}

extension CheckedName {
    /// - Throws: `NameError` where the text is no valid name.
    package init(_ text: String) throws(NameError) {
        guard Self.accepts(text) else { throw NameError(noun: Self.noun, found: String(text.prefix(80))) }
        self.init(unchecked: text)
    }

    package init?(rawValue: String) {
        guard Self.accepts(rawValue) else { return nil }
        self.init(unchecked: rawValue)
    }

    package var description: String { rawValue }

    package static func < (left: Self, right: Self) -> Bool {
        // Names are ASCII, so this is the order of their bytes.
        left.rawValue < right.rawValue
    }

    private static func accepts(_ text: String) -> Bool {
        let bytes = text.utf8
        guard let first = bytes.first, bytes.count <= 64, isAlphanumeric(first) else { return false }
        return bytes.allSatisfy {
            isAlphanumeric($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-")
        }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}

/// The name of a federation.
package struct FederationID: CheckedName {
    package static let noun = "federation"
    package let rawValue: String
    package init(unchecked: String) { rawValue = unchecked }
}

/// The name of a client within its federation.
package struct ClientName: CheckedName {
    package static let noun = "client"
    package let rawValue: String
    package init(unchecked: String) { rawValue = unchecked }
}

/// The error of a text that is no valid name.
package struct NameError: Error, Hashable, CustomStringConvertible {
    package let noun: String
    package let found: String

    package var description: String {
        "a \(noun)'s name is 1 to 64 of a-z, 0-9, '.', '_' and '-', and begins with a letter or digit; found '\(found)'"
    }
}
