package import Federation
package import Foundation

/// A value of a column, in the types that all databases have.
package enum StoredValue: Sendable, Hashable {
    case integer(Int64)
    case real(Double)
    case text(String)
    case bytes(Data)
}

/// A type that a column's value can be read as.
package protocol StoredReadable {
    /// nil where the value has another type or is out of range.
    init?(stored value: StoredValue)
}

extension Int64: StoredReadable {
    package init?(stored value: StoredValue) {
        guard case .integer(let integer) = value else { return nil }
        self = integer
    }
}

extension Int: StoredReadable {
    package init?(stored value: StoredValue) {
        guard case .integer(let integer) = value else { return nil }
        self.init(exactly: integer)
    }
}

extension Bool: StoredReadable {
    package init?(stored value: StoredValue) {
        guard case .integer(let integer) = value else { return nil }
        self = integer != 0
    }
}

extension Double: StoredReadable {
    package init?(stored value: StoredValue) {
        switch value {
        case .integer(let integer): self = Double(integer)
        case .real(let real): self = real
        case .text, .bytes: return nil
        }
    }
}

extension String: StoredReadable {
    package init?(stored value: StoredValue) {
        guard case .text(let text) = value else { return nil }
        self = text
    }
}

extension Data: StoredReadable {
    package init?(stored value: StoredValue) {
        guard case .bytes(let bytes) = value else { return nil }
        self = bytes
    }
}

extension FactorSizes {
    /// The stored form: 32-bit floats, little-endian.
    package var data: Data {
        values.reduce(into: Data()) { data, value in
            withUnsafeBytes(of: value.bitPattern.littleEndian) { data.append(contentsOf: $0) }
        }
    }
}

extension ContentDigest {
    /// The stored form.
    package var data: Data { Data(bytes) }
}
