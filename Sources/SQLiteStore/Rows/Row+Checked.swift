import Federation
import Foundation
import GRDB

/// Reads columns without trusting the file. GRDB's own subscripts end the process on a value of the wrong type.
extension Row {
    func value<Value: DatabaseValueConvertible>(_ column: String) throws(StoreError) -> Value {
        guard let value: Value = try optional(column) else { throw .failed("column \(column) is null") }
        return value
    }

    func optional<Value: DatabaseValueConvertible>(_ column: String) throws(StoreError) -> Value? {
        let stored: DatabaseValue? = self[column]
        guard let stored, !stored.isNull else { return nil }
        guard let value = Value.fromDatabaseValue(stored) else {
            throw .failed("column \(column) holds \(stored); expected \(Value.self)")
        }
        return value
    }

    func instant(_ column: String) throws(StoreError) -> Timestamp {
        Timestamp(milliseconds: try value(column))
    }

    func optionalInstant(_ column: String) throws(StoreError) -> Timestamp? {
        let milliseconds: Int64? = try optional(column)
        return milliseconds.map(Timestamp.init(milliseconds:))
    }

    func digest(_ column: String) throws(StoreError) -> ContentDigest {
        let bytes: Data = try value(column)
        guard let digest = ContentDigest(bytes: Array(bytes)) else {
            throw .failed("column \(column) holds \(bytes.count.counted("byte")); expected a digest of 32")
        }
        return digest
    }

    /// 32-bit floats, little-endian.
    func floats(_ column: String) throws(StoreError) -> [Float]? {
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
    func text<Value: RawRepresentable<String>>(
        _ column: String, as type: Value.Type = Value.self
    ) throws(StoreError) -> Value {
        guard let value: Value = try optionalText(column) else { throw .failed("column \(column) is null") }
        return value
    }

    func optionalText<Value: RawRepresentable<String>>(_ column: String) throws(StoreError) -> Value? {
        guard let text: String = try optional(column) else { return nil }
        guard let value = Value(rawValue: text) else {
            throw .failed("column \(column) holds '\(text)'; expected a \(Value.self)")
        }
        return value
    }

    func json<Value: Decodable>(_ column: String, as type: Value.Type = Value.self) throws(StoreError) -> Value {
        let text: String = try value(column)
        do {
            return try JSONDecoder().decode(Value.self, from: Data(text.utf8))
        } catch {
            throw .failed("column \(column) holds no \(Value.self): \(error)")
        }
    }
}

extension FactorSizes {
    /// The stored form.
    var data: Data {
        values.reduce(into: Data()) { data, value in
            withUnsafeBytes(of: value.bitPattern.littleEndian) { data.append(contentsOf: $0) }
        }
    }
}

extension ContentDigest {
    /// The stored form.
    var data: Data { Data(bytes) }
}
