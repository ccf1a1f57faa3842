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

/// A statement with the values of its parameters `$1`, `$2`, ….
struct PostgresStatement: Sendable {
    let sql: String
    let parameters: [any PostgresParameter]

    init(_ sql: String, _ parameters: [any PostgresParameter] = []) {
        self.sql = sql
        self.parameters = parameters
    }
}
