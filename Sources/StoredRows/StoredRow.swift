package import Federation
import Foundation

/// A row of a table. Its columns are read without trust in the database.
package protocol StoredRow {
    /// The column's value; nil for null and where there is no such column.
    func stored(_ column: String) throws(StoreError) -> StoredValue?
}

extension StoredRow {
    package func value<Value: StoredReadable>(_ column: String) throws(StoreError) -> Value {
        guard let value: Value = try optional(column) else { throw .failed("column \(column) is null") }
        return value
    }

    package func optional<Value: StoredReadable>(_ column: String) throws(StoreError) -> Value? {
        guard let stored = try stored(column) else { return nil }
        guard let value = Value(stored: stored) else {
            throw .failed("column \(column) holds \(stored); expected \(Value.self)")
        }
        return value
    }

    package func instant(_ column: String) throws(StoreError) -> Timestamp {
        Timestamp(milliseconds: try value(column))
    }

    package func optionalInstant(_ column: String) throws(StoreError) -> Timestamp? {
        let milliseconds: Int64? = try optional(column)
        return milliseconds.map(Timestamp.init(milliseconds:))
    }

    package func digest(_ column: String) throws(StoreError) -> ContentDigest {
        let bytes: Data = try value(column)
        guard let digest = ContentDigest(bytes: Array(bytes)) else {
            throw .failed("column \(column) holds \(bytes.count.counted("byte")); expected a digest of 32")
        }
        return digest
    }

    /// 32-bit floats, little-endian.
    package func floats(_ column: String) throws(StoreError) -> [Float]? {
        guard let bytes: Data = try optional(column) else { return nil }
        guard bytes.count.isMultiple(of: 4) else {
            throw .failed("column \(column) holds \(bytes.count.counted("byte")); expected whole floats")
        }
        return bytes.withUnsafeBytes { bytes in
            (0..<bytes.count / 4).map {
                Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
            }
        }
    }

    /// A name, a state or another value that is stored as its text.
    package func text<Value: RawRepresentable<String>>(
        _ column: String, as type: Value.Type = Value.self
    ) throws(StoreError) -> Value {
        guard let value: Value = try optionalText(column) else { throw .failed("column \(column) is null") }
        return value
    }

    package func optionalText<Value: RawRepresentable<String>>(_ column: String) throws(StoreError) -> Value? {
        guard let text: String = try optional(column) else { return nil }
        guard let value = Value(rawValue: text) else {
            throw .failed("column \(column) holds '\(text)'; expected a \(Value.self)")
        }
        return value
    }

    package func json<Value: Decodable>(
        _ column: String, as type: Value.Type = Value.self
    ) throws(StoreError) -> Value {
        let text: String = try value(column)
        do {
            return try JSONDecoder().decode(Value.self, from: Data(text.utf8))
        } catch {
            throw .failed("column \(column) holds no \(Value.self): \(error)")
        }
    }
}

/// The text of a value that a column holds as JSON.
package func storedJSON(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
}
