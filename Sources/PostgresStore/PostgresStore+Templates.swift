package import Federation
import StoredRows

/// The parts of incomplete templates: the adapter is an object, its configuration a column.
extension PostgresStore: TemplateStore {
    package func template(of federation: FederationID) async throws(StoreError) -> StoredTemplate {
        try await pool.run { connection in
            let row = try connection.run(
                """
                SELECT digest, bytes, configuration FROM templates
                WHERE federation = (SELECT key FROM federations WHERE id = $1)
                """, [federation]
            ).first
            guard let row else { return StoredTemplate() }
            return StoredTemplate(
                digest: try row.stored("digest") == nil ? nil : try row.digest("digest"),
                byteCount: try row.value("bytes"), configuration: try row.optional("configuration"))
        }
    }

    package func keepTemplate(
        _ digest: ContentDigest, byteCount: Int, of federation: FederationID
    ) async throws(StoreError) {
        let claims = ObjectClaims(publications) { self.scratch.blobs.unpin($0) }
        let place = try claims.take(digest)
        do throws(StoreError) {
            try await transact { connection in
                try Self.discardTemplate(of: federation, connection)
                try connection.run(
                    """
                    INSERT INTO templates (federation, digest, bytes, object, object_position)
                    VALUES ((SELECT key FROM federations WHERE id = $1), $2, $3, $4, $5)
                    ON CONFLICT (federation) DO UPDATE SET digest = excluded.digest, bytes = excluded.bytes,
                      object = excluded.object, object_position = excluded.object_position
                    """, [federation, digest, byteCount, place.key, place.position])
            }
        } catch {
            // The commit may have been done although its answer was lost.
            claims.detach()
            throw error
        }
        claims.end()
    }

    package func keepTemplateConfiguration(
        _ text: String, of federation: FederationID
    ) async throws(StoreError) {
        try await transact { connection in
            _ = try connection.run(
                """
                INSERT INTO templates (federation, configuration)
                VALUES ((SELECT key FROM federations WHERE id = $1), $2)
                ON CONFLICT (federation) DO UPDATE SET configuration = excluded.configuration
                """, [federation, text])
        }
    }

    package func dropTemplate(of federation: FederationID) async throws(StoreError) {
        try await transact { connection in
            try Self.discardTemplate(of: federation, connection)
            try connection.run(
                "DELETE FROM templates WHERE federation = (SELECT key FROM federations WHERE id = $1)", [federation])
        }
    }

    private static func discardTemplate(
        of federation: FederationID, _ connection: PostgresConnection
    ) throws {
        try connection.run(
            """
            INSERT INTO garbage (object, since) SELECT object, now_ms() FROM templates
            WHERE federation = (SELECT key FROM federations WHERE id = $1) AND object IS NOT NULL
            ON CONFLICT DO NOTHING
            """, [federation])
    }
}

/// The configurations that clients send before their updates. They are deleted when their round no longer needs its
/// updates.
extension PostgresStore: ConfigurationStore {
    package func keepConfiguration(
        _ text: String, of client: ClientName, round: Int, in federation: FederationID
    ) async throws(StoreError) {
        try await transact { connection in
            _ = try connection.run(
                """
                INSERT INTO configurations (federation, round, client, text)
                VALUES ((SELECT key FROM federations WHERE id = $1), $2, $3, $4)
                ON CONFLICT (federation, round, client) DO UPDATE SET text = excluded.text
                """, [federation, round, client, text])
        }
    }

    package func configuration(
        of client: ClientName, round: Int, in federation: FederationID
    ) async throws(StoreError) -> String? {
        // Every update asks.
        try await configurations.answer(to: .init(federation: federation, round: round, client: client)) {
            [pool] (asked: [ConfigurationKey]) async throws(StoreError) in
            try await pool.run { connection in
                let rows = try connection.run(
                    """
                    SELECT asked.number, configurations.text
                    FROM unnest($1::text[], $2::bigint[], $3::text[]) WITH ORDINALITY AS asked (id, round, client, number)
                    JOIN federations ON federations.id = asked.id
                    JOIN configurations ON configurations.federation = federations.key
                      AND configurations.round = asked.round AND configurations.client = asked.client
                    """,
                    [
                        PostgresArray(asked.map(\.federation)), PostgresArray(asked.map(\.round)),
                        PostgresArray(asked.map(\.client)),
                    ]
                ).rows
                var texts = [String?](repeating: nil, count: asked.count)
                for row in rows {
                    let number: Int = try row.value("number")
                    texts[number - 1] = try row.value("text")
                }
                return texts
            }
        }
    }
}

/// Which configuration of a client's adapter is asked for.
struct ConfigurationKey: Sendable {
    let federation: FederationID
    let round: Int
    let client: ClientName
}
