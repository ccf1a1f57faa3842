/// A table into which a step may write many rows.
struct RowTable: Sendable {
    /// Writes the rows of `unnest($2…, $3…, …)` for the federation `$1`.
    let sql: String

    /// - Parameters:
    ///   - columns: each with its type. The federation's column goes before them.
    ///   - key: where a row of these columns is there already, it is replaced; nil where there never is one.
    ///   - kept: the columns that a replaced row keeps.
    init(_ name: String, _ columns: [(name: String, type: String)], key: [String]? = nil, kept: [String] = []) {
        let names = columns.map(\.name)
        let arrays = columns.enumerated().map { "$\($0 + 2)::\($1.type)[]" }
        var sql = """
            INSERT INTO \(name) (federation, \(names.joined(separator: ", ")))
            SELECT $1, * FROM unnest(\(arrays.joined(separator: ", ")))
            """
        if let key {
            let changed = names.filter { !key.contains($0) && !kept.contains($0) }.map { "\($0) = excluded.\($0)" }
            sql += """

                ON CONFLICT (federation, \(key.joined(separator: ", ")))
                DO UPDATE SET \(changed.joined(separator: ", "))
                """
        }
        self.sql = sql
    }
}

/// Rows that one statement writes. A statement for each row would cost the database several times as much.
final class RowBatch {
    private let table: RowTable
    private var columns: [[any PostgresParameter]] = []
    private var keys: Set<String> = []

    init(_ table: RowTable) { self.table = table }

    private static let limit = 2000

    /// Adds a row; false where the batch is full, or has one with the same key, which one statement cannot write twice.
    func add(_ values: [any PostgresParameter], key: String) -> Bool {
        guard keys.count < Self.limit, keys.insert(key).inserted else { return false }
        if columns.isEmpty { columns = Array(repeating: [], count: values.count) }
        for (index, value) in values.enumerated() { columns[index].append(value) }
        return true
    }

    /// - Parameter federation: `federations.key`
    func statement(of federation: Int64) -> PostgresStatement {
        PostgresStatement(table.sql, [federation] + columns.map { PostgresArray($0) })
    }
}

extension RowTable {
    static let events = RowTable(
        "events",
        [
            ("id", "bigint"), ("at", "bigint"), ("kind", "text"), ("round", "bigint"), ("client", "text"),
            ("detail", "text"), ("hash", "bytea"),
        ])

    static let participations = RowTable(
        "participations",
        [
            ("round", "bigint"), ("client", "text"), ("state", "text"), ("revision", "bigint"), ("rank", "bigint"),
            ("step", "bigint"),
        ], key: ["round", "client"])

    static let updates = RowTable(
        "updates",
        [
            ("round", "bigint"), ("client", "text"), ("digest", "bytea"), ("bytes", "bigint"), ("rank", "bigint"),
            ("samples", "bigint"), ("loss", "double precision"), ("accuracy", "double precision"),
            ("received_at", "bigint"), ("ranks", "text"), ("norm", "double precision"), ("factor_sizes", "bytea"),
            ("began", "bigint"), ("left_out_for", "text"), ("is_lost", "boolean"), ("is_taken_back", "boolean"),
            ("object", "text"), ("object_position", "bigint"), ("step", "bigint"),
        ], key: ["round", "client"])

    /// A known client keeps its number and what it registered with.
    static let clients = RowTable(
        "clients",
        [
            ("name", "text"), ("rank", "bigint"), ("token", "bytea"), ("capabilities", "text"),
            ("registered_at", "bigint"), ("last_seen_at", "bigint"), ("revoked_at", "bigint"),
            ("left_by_itself", "boolean"), ("number", "bigint"), ("step", "bigint"),
        ], key: ["name"], kept: ["token", "registered_at", "number"])
}
