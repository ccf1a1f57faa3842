import Federation
import Logging
import StoredRows

/// Brings a database to a program's version, and keeps programs away from a database that has left them behind.
extension PostgresSchema {
    /// A version that some program has brought the database to.
    private struct Applied {
        let version: String
        /// Empty where it breaks nothing.
        let breaksBefore: String
    }

    private static let applied = PostgresStatement("SELECT version, breaks_before FROM schema_versions")

    /// Brings the database to this program's version, or leaves it as it is. Servers that start at once take turns.
    ///
    /// - Throws: `StoreError.failed` where a newer program has left this version behind, where a server runs that the
    ///   new tables would leave behind, or where the tables cannot be made.
    func migrate(_ connection: PostgresConnection, logger: Logger) throws {
        try connection.transact { connection in
            try connection.runSimple("SELECT pg_advisory_xact_lock(7295063601)")
            try connection.runSimple(
                """
                CREATE TABLE IF NOT EXISTS schema_versions (
                  version text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
                  breaks_before text NOT NULL DEFAULT '')
                """)
            let found = try Self.versions(try connection.run([Self.applied])[0])
            try requireUse(of: found)
            let known = migrations.map(\.version)
            for one in found where !known.contains(one.version) {
                logger.notice("the database is of a newer version", metadata: ["version": "\(one.version)"])
            }
            for (index, migration) in migrations.enumerated()
            where !found.contains(where: { $0.version == migration.version }) {
                // Programs of the version before it go on, those of earlier versions do not.
                let breaks = migration.breaksBefore ?? (index == 0 ? "" : migrations[index - 1].version)
                if index > 0 { try requireNoServers(before: breaks, connection, for: migration.version) }
                try make(migration, breaksBefore: breaks, on: connection, from: found)
                logger.notice("tables were made", metadata: ["version": "\(migration.version)"])
            }
        }
    }

    /// Throws where the database has left this program behind since it started.
    func requireUse(of versions: PostgresResult) throws { try requireUse(of: try Self.versions(versions)) }

    /// What `requireUse` reads.
    static var versionsStatement: PostgresStatement { applied }

    private static func versions(_ result: PostgresResult) throws -> [Applied] {
        try result.rows.map { row in
            Applied(version: try row.value("version"), breaksBefore: try row.value("breaks_before"))
        }
    }

    private func requireUse(of versions: [Applied]) throws {
        let known = migrations.map(\.version)
        for one in versions where !known.contains(one.version) && newest.isOlder(than: one.breaksBefore) {
            throw StoreError.failed(
                "the database is of version \(one.version), which servers before version \(one.breaksBefore) cannot use; "
                    + "this program writes version \(newest)")
        }
    }

    /// Throws where a server is alive whose program cannot use the database after the migration.
    private func requireNoServers(
        before version: String, _ connection: PostgresConnection, for new: String
    ) throws {
        let alive = try connection.run(
            "SELECT DISTINCT schema FROM servers WHERE alive_at > now_ms() - 10000 ORDER BY schema"
        ).rows.map { try $0.value("schema") as String }
        guard let oldest = alive.first(where: { $0.isOlder(than: version) }) else { return }
        throw StoreError.failed(
            "a server of version \(oldest) runs on the database, and servers before version \(version) cannot use the "
                + "tables of version \(new); stop it or replace it by one of version \(version) first, and wait ten seconds where it was killed"
        )
    }

    private func make(
        _ migration: SchemaMigration, breaksBefore: String, on connection: PostgresConnection, from found: [Applied]
    ) throws {
        do {
            try connection.runSimple(migration.sql)
            try connection.run(
                "INSERT INTO schema_versions (version, breaks_before) VALUES ($1, $2)",
                [migration.version, breaksBefore])
        } catch {
            guard case .refused(let state, let message) = error, !error.isPassing else { throw error }
            let before = found.map(\.version).max { $0.isOlder(than: $1) }
            throw StoreError.failed(
                "the tables of version \(migration.version) cannot be made (\(state): \(message)); the database stays "
                    + "\(before.map { "at version \($0)" } ?? "without tables")")
        }
    }
}
