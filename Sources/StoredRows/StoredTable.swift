package import Federation

/// A table with the rows of one federation, and the columns that it has in every database. Whole federations go from
/// one database to another by these tables.
package struct StoredTable: Sendable, Hashable {
    package let name: String
    package let columns: [String]
    /// The column whose order the rows keep; nil where their order says nothing.
    package let order: String?

    private init(_ name: String, _ columns: String, order: String? = nil) {
        self.name = name
        self.columns = columns.split(separator: " ").map(String.init)
        self.order = order
    }

    /// The federation's own row, without its name.
    package static let federation = StoredTable(
        "federations",
        "settings state round published_round revision plan_revision created_at merges_folded_through")

    /// Rows of a table refer only to tables before it. `holds_blob` of an update: whether its bytes must come too.
    package static let all = [
        StoredTable("tokens", "id role hash created_at expires_at uses_left"),
        StoredTable(
            "clients",
            "name rank token capabilities registered_at last_seen_at revoked_at left_by_itself number changes"),
        StoredTable(
            "rounds",
            """
            number phase opened_at deadline closed_at minimum_updates target_updates failed_for adapter_digest \
            adapter_bytes adapter_ranks adapter_has_merge minimum_coverage has_reopened summary
            """),
        StoredTable("participations", "round client state revision rank"),
        updates,
        StoredTable("refusals", "round client at code detail count", order: "id"),
        StoredTable("evaluations", "round opened_at deadline closed_at figures standing"),
        StoredTable(
            "evaluation_places", "round client state rank revision samples metrics received_at refusal"),
        StoredTable("events", "at kind round client detail hash", order: "id"),
        StoredTable("client_lists", "digest runs client_values"),
        templates,
        StoredTable("configurations", "round client text"),
    ]

    package static let updates = StoredTable(
        "updates",
        """
        round client digest bytes rank samples loss accuracy received_at left_out_for holds_blob ranks norm began \
        is_lost factor_sizes is_taken_back
        """)
    package static let templates = StoredTable("templates", "digest bytes configuration")
    package static let parts = StoredTable(
        "adapter_parts", "slot round name kind first_row row_count digest", order: "id")
}

/// A federation that is read table by table, to be stored in another database.
package protocol FederationSource {
    var id: FederationID { get }
    /// Values in the order of the table's columns.
    func rows(of table: StoredTable) throws -> [[StoredValue?]]
    /// Calls `body` for each part of an adapter, with its row and its bytes.
    func forEachPart(_ body: (_ row: [StoredValue?], _ bytes: [UInt8]) throws -> Void) throws
    /// A local file with the bytes of an update or a template; nil where they are lost.
    func blob(_ digest: ContentDigest) throws -> LentFile?
}

extension FederationSource {
    /// The digests of the bytes that must come with the rows.
    package func heldBlobs() throws -> [ContentDigest] {
        let updates = try rows(of: .updates).filter { row in
            row[StoredTable.updates.index(of: "holds_blob")] == .integer(1)
        }
        let digests =
            try updates.map { row in try Self.digest(row[StoredTable.updates.index(of: "digest")]) }
            + rows(of: .templates).compactMap { row in
                let value = row[StoredTable.templates.index(of: "digest")]
                return value == nil ? nil : try Self.digest(value)
            }
        return Array(Set(digests)).sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    }

    private static func digest(_ value: StoredValue?) throws -> ContentDigest {
        guard case .bytes(let bytes)? = value, let digest = ContentDigest(bytes: Array(bytes)) else {
            throw StoreError.failed("a digest is missing")
        }
        return digest
    }
}

extension StoredTable {
    /// The place of a column, which the table must have.
    package func index(of column: String) -> Int {
        guard let index = columns.firstIndex(of: column) else { preconditionFailure("\(name) has no \(column)") }
        return index
    }
}

/// A store whose federations can be moved to another one.
package protocol MovableStore: Sendable {
    func federationIDs() throws(StoreError) -> [FederationID]
    /// nil where there is no such federation.
    func movable(_ federation: FederationID) throws(StoreError) -> (any FederationSource)?
    /// Throws `.exists` where the name is taken.
    func take(_ source: any FederationSource) throws(StoreError)
    /// What stays of deleted federations: name, head, number of events, time, and whether the name is free.
    func departed() throws(StoreError) -> [[StoredValue?]]
    func takeDeparted(_ rows: [[StoredValue?]]) throws(StoreError)
}
