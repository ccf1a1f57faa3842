package import Federation
package import GRDB
package import StoredRows

/// GRDB's own subscripts end the process on a value of the wrong type, so rows are read through `StoredRow`.
extension Row: StoredRow {
    package func stored(_ column: String) throws(StoreError) -> StoredValue? {
        let found: DatabaseValue? = self[column]
        switch found?.storage {
        case nil, .null?: return nil
        case .int64(let integer)?: return .integer(integer)
        case .double(let real)?: return .real(real)
        case .string(let text)?: return .text(text)
        case .blob(let bytes)?: return .bytes(bytes)
        }
    }
}
