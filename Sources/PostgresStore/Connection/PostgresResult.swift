import CPQ
import Federation
import Foundation
import StoredRows

/// What one statement returned.
final class PostgresResult {
    private let result: OpaquePointer
    private let columns: [String: Int32]
    let count: Int

    /// - Parameter result: libpq's result, which this object frees.
    init(owning result: OpaquePointer) {
        self.result = result
        count = Int(PQntuples(result))
        var columns: [String: Int32] = [:]
        for index in 0..<PQnfields(result) {
            if let name = PQfname(result, index) { columns[String(cString: name)] = index }
        }
        self.columns = columns
    }

    deinit { PQclear(result) }

    /// The number of rows that the statement changed or returned.
    var changedCount: Int { PQcmdTuples(result).flatMap { Int(String(cString: $0)) } ?? 0 }

    var rows: [PostgresRow] { (0..<count).map { PostgresRow(result: self, index: Int32($0)) } }
    var first: PostgresRow? { count > 0 ? PostgresRow(result: self, index: 0) : nil }

    fileprivate func stored(_ column: String, at row: Int32) throws(StoreError) -> StoredValue? {
        guard let index = columns[column] else { return nil }
        guard PQgetisnull(result, row, index) == 0, let value = PQgetvalue(result, row, index) else { return nil }
        let bytes = UnsafeRawBufferPointer(start: value, count: Int(PQgetlength(result, row, index)))
        let text = String(decoding: bytes, as: UTF8.self)
        switch PQftype(result, index) {
        case 16: return .integer(text == "t" ? 1 : 0)
        case 20, 21, 23:
            guard let integer = Int64(text) else {
                throw .failed("column \(column) holds \(text); expected an integer")
            }
            return .integer(integer)
        case 700, 701:
            guard let real = Double(text) else { throw .failed("column \(column) holds \(text); expected a number") }
            return .real(real)
        case 17:
            guard let bytes = Data(hexadecimal: bytes) else { throw .failed("column \(column) holds no bytes") }
            return .bytes(bytes)
        default: return .text(text)
        }
    }
}

/// One row of a result.
struct PostgresRow: StoredRow {
    fileprivate let result: PostgresResult
    fileprivate let index: Int32

    func stored(_ column: String) throws(StoreError) -> StoredValue? { try result.stored(column, at: index) }
}

extension Data {
    /// The bytes of PostgreSQL's text form of `bytea`: `\x` and two hexadecimal digits a byte.
    fileprivate init?(hexadecimal text: UnsafeRawBufferPointer) {
        guard text.count >= 2, text.count.isMultiple(of: 2), text[0] == UInt8(ascii: "\\"), text[1] == UInt8(ascii: "x")
        else { return nil }
        var bytes = Data(capacity: text.count / 2 - 1)
        for place in stride(from: 2, to: text.count, by: 2) {
            guard let high = Self.digit(text[place]), let low = Self.digit(text[place + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        self = bytes
    }

    private static func digit(_ character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
