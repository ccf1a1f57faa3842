package import Federation
import GRDB
import StoredRows

/// The parts of incomplete templates: the adapter is a blob, its configuration a column.
extension SQLiteStore: TemplateStore {
    package func template(of federation: FederationID) async throws(StoreError) -> StoredTemplate {
        try await fetch { database in
            let row = try Row.fetchOne(
                database,
                sql: """
                    SELECT digest, bytes, configuration FROM templates
                    WHERE federation = (SELECT key FROM federations WHERE id = ?)
                    """, arguments: [federation.rawValue])
            guard let row else { return StoredTemplate() }
            let hasDigest: Bool = row["digest"] != nil
            return StoredTemplate(
                digest: hasDigest ? try row.digest("digest") : nil, byteCount: try row.value("bytes"),
                configuration: row["configuration"])
        }
    }

    package func keepTemplate(
        _ digest: ContentDigest, byteCount: Int, of federation: FederationID
    ) async throws(StoreError) {
        try await commit { database in
            try self.publications.require([digest], in: self.directory)
            try database.execute(
                sql: """
                    INSERT INTO templates (federation, digest, bytes)
                    VALUES ((SELECT key FROM federations WHERE id = ?), ?, ?)
                    ON CONFLICT DO UPDATE SET digest = excluded.digest, bytes = excluded.bytes
                    """,
                arguments: [federation.rawValue, digest.data, byteCount])
        }
        publications.end(digest)
    }

    package func keepTemplateConfiguration(
        _ text: String, of federation: FederationID
    ) async throws(StoreError) {
        try await commit { database in
            try database.execute(
                sql: """
                    INSERT INTO templates (federation, configuration)
                    VALUES ((SELECT key FROM federations WHERE id = ?), ?)
                    ON CONFLICT DO UPDATE SET configuration = excluded.configuration
                    """,
                arguments: [federation.rawValue, text])
        }
    }

    package func dropTemplate(of federation: FederationID) async throws(StoreError) {
        try await commit { database in
            try database.execute(
                sql: "DELETE FROM templates WHERE federation = (SELECT key FROM federations WHERE id = ?)",
                arguments: [federation.rawValue])
        }
    }
}

/// The configurations that clients send before their updates. They are deleted when their round no longer needs its
/// updates.
extension SQLiteStore: ConfigurationStore {
    package func keepConfiguration(
        _ text: String, of client: ClientName, round: Int, in federation: FederationID
    ) async throws(StoreError) {
        try await commit { database in
            try database.execute(
                sql: """
                    INSERT OR REPLACE INTO configurations (federation, round, client, text)
                    VALUES ((SELECT key FROM federations WHERE id = ?), ?, ?, ?)
                    """,
                arguments: [federation.rawValue, round, client.rawValue, text])
        }
    }

    package func configuration(
        of client: ClientName, round: Int, in federation: FederationID
    ) async throws(StoreError) -> String? {
        try await fetch { database in
            try String.fetchOne(
                database,
                sql: """
                    SELECT text FROM configurations
                    WHERE federation = (SELECT key FROM federations WHERE id = ?) AND round = ? AND client = ?
                    """,
                arguments: [federation.rawValue, round, client.rawValue])
        }
    }
}
