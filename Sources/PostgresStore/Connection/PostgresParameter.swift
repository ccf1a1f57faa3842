import Federation
import Foundation
import StoredRows

/// A value that a statement takes as a parameter.
protocol PostgresParameter: Sendable {
    /// The value's text or bytes; nil for null.
    var encoded: PostgresEncoding? { get }
}

/// How a parameter goes to the server.
enum PostgresEncoding: Sendable {
    case text(String)
    case binary([UInt8])
}

extension Int: PostgresParameter {
    var encoded: PostgresEncoding? { .text(String(self)) }
}

extension Int64: PostgresParameter {
    var encoded: PostgresEncoding? { .text(String(self)) }
}

extension Double: PostgresParameter {
    var encoded: PostgresEncoding? {
        .text(isNaN ? "NaN" : isInfinite ? (self < 0 ? "-Infinity" : "Infinity") : "\(self)")
    }
}

extension Bool: PostgresParameter {
    var encoded: PostgresEncoding? { .text(self ? "t" : "f") }
}

extension String: PostgresParameter {
    var encoded: PostgresEncoding? { .text(self) }
}

extension Data: PostgresParameter {
    var encoded: PostgresEncoding? { .binary(Array(self)) }
}

extension ContentDigest: PostgresParameter {
    var encoded: PostgresEncoding? { .binary(bytes) }
}

extension Timestamp: PostgresParameter {
    var encoded: PostgresEncoding? { .text(String(milliseconds)) }
}

extension FederationID: PostgresParameter {
    var encoded: PostgresEncoding? { .text(rawValue) }
}

extension ClientName: PostgresParameter {
    var encoded: PostgresEncoding? { .text(rawValue) }
}

extension StoredValue: PostgresParameter {
    var encoded: PostgresEncoding? {
        switch self {
        case .integer(let integer): integer.encoded
        case .real(let real): real.encoded
        case .text(let text): text.encoded
        case .bytes(let bytes): bytes.encoded
        }
    }
}

extension Optional: PostgresParameter where Wrapped: PostgresParameter {
    var encoded: PostgresEncoding? { self?.encoded }
}

/// An array of PostgreSQL, which takes as many values as there are rows: `unnest($1::text[])`.
struct PostgresArray: PostgresParameter {
    private let elements: [any PostgresParameter]

    init(_ elements: [any PostgresParameter]) { self.elements = elements }

    var encoded: PostgresEncoding? {
        var text: [UInt8] = [UInt8(ascii: "{")]
        for element in elements {
            if text.count > 1 { text.append(UInt8(ascii: ",")) }
            switch element.encoded {
            case nil: text += "NULL".utf8
            case .text(let value)?:
                text.append(Self.quote)
                for byte in value.utf8 {
                    if byte == Self.quote || byte == Self.backslash { text.append(Self.backslash) }
                    text.append(byte)
                }
                text.append(Self.quote)
            case .binary(let bytes)?:
                text += "\"\\\\x".utf8
                for byte in bytes {
                    text.append(Self.digits[Int(byte >> 4)])
                    text.append(Self.digits[Int(byte & 15)])
                }
                text.append(Self.quote)
            }
        }
        text.append(UInt8(ascii: "}"))
        return .text(String(decoding: text, as: UTF8.self))
    }

    private static let quote = UInt8(ascii: "\"")
    private static let backslash = UInt8(ascii: "\\")
    private static let digits = Array("0123456789abcdef".utf8)
}

/// A statement with the values of its parameters `$1`, `$2`, ….
struct PostgresStatement: Sendable {
    let sql: String
    let parameters: [any PostgresParameter]

    init(_ sql: String, _ parameters: [any PostgresParameter] = []) {
        self.sql = sql
        self.parameters = parameters
    }
}
