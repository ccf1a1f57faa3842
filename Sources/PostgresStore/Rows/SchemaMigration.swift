/// One change of the tables: from a version of the programs on, they write what it makes.
///
/// Servers one schema version apart share a database while an operator replaces them. So a migration only adds: tables,
/// indexes, and columns with defaults. What the version before it still reads is taken away one version later.
struct SchemaMigration: Sendable {
    /// The first version of the programs that writes its tables. A released migration never changes.
    let version: String
    /// Runs in one transaction with everything else of the migration.
    let sql: String
    /// Programs that write no version from this one on cannot use the database afterwards. nil for all but the version
    /// before this one.
    let breaksBefore: String?

    /// - Parameter breaksBefore: the migration's own version, where even the version before it must be stopped first.
    init(_ version: String, breaksBefore: String? = nil, _ sql: String) {
        self.version = version
        self.breaksBefore = breaksBefore
        self.sql = sql
    }
}

extension String {
    /// Compares versions number by number.
    func isOlder(than other: String) -> Bool {
        split(separator: ".").map { Int($0) ?? 0 }.lexicographicallyPrecedes(
            other.split(separator: ".").map { Int($0) ?? 0 })
    }
}
