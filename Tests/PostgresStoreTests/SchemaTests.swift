import Dispatch
import Federation
import Logging
import StoreConformance
import Synchronization
import Testing

@testable import PostgresStore

/// Programs of several versions on one database: their tables come after those of this program.
@Suite(.enabled(if: TestDatabase.isThere, "RANKWISE_TEST_POSTGRES names a database"))
struct SchemaTests {
    typealias Cluster = PostgresStoreTests.Cluster

    /// It only adds, to every table that a step reads or writes.
    private static let addition = SchemaMigration(
        "99.0.0",
        """
        ALTER TABLE federations ADD COLUMN motto text;
        ALTER TABLE clients ADD COLUMN motto text NOT NULL DEFAULT 'none';
        ALTER TABLE tokens ADD COLUMN motto text; ALTER TABLE rounds ADD COLUMN motto text;
        ALTER TABLE participations ADD COLUMN motto text; ALTER TABLE updates ADD COLUMN motto text;
        ALTER TABLE events ADD COLUMN motto text; ALTER TABLE refusals ADD COLUMN motto text;
        CREATE TABLE mottos (text text)
        """)
    private static let old = PostgresSchema.current
    private static let new = PostgresSchema(migrations: old.migrations + [addition])
    private static let newest = PostgresSchema(
        migrations: new.migrations + [SchemaMigration("100.0.0", "ALTER TABLE mottos ADD COLUMN author text")])

    /// What opening a store says.
    private func refusal(_ cluster: Cluster, _ schema: PostgresSchema) -> String {
        do {
            _ = try cluster.server(schema: schema)
            return "it opened"
        } catch {
            return "\(error)"
        }
    }

    private func versions(_ cluster: Cluster) throws -> String? {
        try cluster.value("SELECT string_agg(version, ' ' ORDER BY applied_at) AS value FROM schema_versions")
    }

    @Test func `a server goes on while one of the next version adds columns, and both know what the other stores`()
        async throws
    {
        let cluster = Cluster()
        let older = try cluster.server(schema: Self.old)
        let live = try await LiveFederation(creating: "digits", in: Stores(older))
        // Its connections have prepared all that it asks by now.
        try await live.register("edge-1", "edge-2")
        try await live.send("one", from: "edge-1", round: 1)
        let news = older.steps()
        let newer = try cluster.server(schema: Self.new)
        #expect(try versions(cluster) == "\(Self.old.newest) 99.0.0")

        try await live.register("edge-3")
        try await live.send("two", from: "edge-2", round: 1)
        let there = try await LiveFederation(loadedFrom: Stores(newer))
        expectEqual(there.machine, live.machine)
        try await there.register("edge-4")
        for await step in news where step.revision == there.machine.revision { break }
        // It catches up on the newer server's rows within its next step.
        try await live.register("edge-5")
        #expect(live.machine.clients.keys.map(\.rawValue).sorted() == (1...5).map { "edge-\($0)" })
        expectEqual(try #require(try await older.federation(live.id)).machine, live.machine)
        #expect(
            try await older.events(after: 0, limit: 100, of: live.id).count { $0.event.kind == "client.registered" }
                == 5)
        let mottos: String? = try cluster.value("SELECT string_agg(DISTINCT motto, ' ') AS value FROM clients")
        #expect(mottos == "none")
    }

    @Test func `an older server starts beside tables of the next version`() async throws {
        let cluster = Cluster()
        let newer = try cluster.server(schema: Self.new)
        let older = try cluster.server(schema: Self.old)
        let live = try await LiveFederation(creating: "digits", in: Stores(older))
        try await live.register("edge-1")
        expectEqual(try #require(try await newer.federation(live.id)).machine, live.machine)
    }

    @Test func `a server two versions behind is refused with both versions`() throws {
        let cluster = Cluster()
        _ = try cluster.server(schema: Self.newest)
        let said = refusal(cluster, Self.old)
        #expect(
            said.contains(
                "the database is of version 100.0.0, which servers before version 99.0.0 cannot use; this program writes "
                    + "version \(Self.old.newest)"), "\(said)")
        _ = try cluster.server(schema: Self.new)
    }

    @Test func `a version that breaks with the one before it refuses it`() throws {
        let cluster = Cluster()
        let breaking = SchemaMigration("99.0.0", breaksBefore: "99.0.0", "ALTER TABLE clients DROP COLUMN rank")
        _ = try cluster.server(schema: PostgresSchema(migrations: Self.old.migrations + [breaking]))
        let said = refusal(cluster, Self.old)
        #expect(said.contains("of version 99.0.0, which servers before version 99.0.0 cannot use"), "\(said)")
    }

    @Test func `tables that would leave a running server behind are not made until it has stopped`() async throws {
        let cluster = Cluster()
        let older = try cluster.server(schema: Self.old)
        let live = try await LiveFederation(creating: "digits", in: Stores(older))
        let said = refusal(cluster, Self.newest)
        #expect(
            said.contains(
                "a server of version \(Self.old.newest) runs on the database, and servers before version 99.0.0 cannot use "
                    + "the tables of version 100.0.0"), "\(said)")
        #expect(try versions(cluster) == Self.old.newest)
        try await live.register("edge-1")
        try older.close()
        let newest = try cluster.server(schema: Self.newest)
        #expect(try await newest.federation(live.id)?.machine.clients.count == 1)
    }

    @Test(arguments: [false, true])
    func `servers that start at once make the tables once`(isEmpty: Bool) throws {
        let cluster = Cluster()
        if !isEmpty { _ = try cluster.server(schema: Self.old) }
        let url = try TestDatabase.url(ofSchema: cluster.schema)
        let failures = Mutex<[String]>([])
        DispatchQueue.concurrentPerform(iterations: 6) { _ in
            do {
                try Self.new.migrate(try PostgresConnection(url), logger: TestObjectsServer.quiet)
            } catch {
                failures.withLock { $0.append("\(error)") }
            }
        }
        #expect(failures.withLock { $0 } == [])
        #expect(try versions(cluster) == "\(Self.old.newest) 99.0.0")
    }

    @Test func `tables that cannot be made leave the database as it was`() async throws {
        let cluster = Cluster()
        let older = try cluster.server(schema: Self.old)
        let live = try await LiveFederation(creating: "digits", in: Stores(older))
        let broken = SchemaMigration(
            "99.0.0", "ALTER TABLE clients ADD COLUMN motto text; CREATE TABLE mottos (text text); SELECT 1 / 0")
        let said = refusal(cluster, PostgresSchema(migrations: Self.old.migrations + [broken]))
        #expect(said.contains("the tables of version 99.0.0 cannot be made (22012: "), "\(said)")
        #expect(said.contains("division by zero"), "\(said)")
        #expect(said.contains("the database stays at version \(Self.old.newest)"), "\(said)")
        #expect(try versions(cluster) == Self.old.newest)
        let left: Int? = try cluster.value(
            """
            SELECT count(*) AS value FROM information_schema.columns WHERE table_schema = current_schema()
              AND (column_name = 'motto' OR table_name = 'mottos')
            """)
        #expect(left == 0)
        try await live.register("edge-1")
        _ = try cluster.server(schema: Self.new)
        #expect(try versions(cluster) == "\(Self.old.newest) 99.0.0")
    }

    @Test func `a server that was paused while it was left behind stops following`() async throws {
        let cluster = Cluster()
        let (heard, log) = HeardLog.make()
        let server = try cluster.server(logger: Logger(label: "test") { _ in log })
        // Without asking who runs: it was not heard for ten seconds.
        try cluster.query("INSERT INTO schema_versions (version, breaks_before) VALUES ('100.0.0', '99.0.0')")
        for await line in heard where line.contains("servers before version 99.0.0 cannot use") { break }
        try server.close()
    }
}
