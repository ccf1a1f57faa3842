import Federation
import ObjectStorage
import StoreConformance
import Testing

@testable import PostgresStore

/// What servers tell each other, and how long objects stay.
@Suite(.enabled(if: TestDatabase.isThere, "RANKWISE_TEST_POSTGRES names a database"))
struct SharedStoreTests {
    typealias Cluster = PostgresStoreTests.Cluster

    @Test func `a server learns when another one has seen a client, and that the client has left`() async throws {
        let cluster = Cluster()
        let (here, there) = (try cluster.server(), try cluster.server())
        let live = try await LiveFederation(creating: "digits", in: Stores(here))
        let (one, two) = (try ClientName("edge-1"), try ClientName("edge-2"))
        let (mine, theirs) = (here.presence(of: live.id), there.presence(of: live.id))
        let seen = Sample.createdAt.adding(seconds: 5)
        mine.touch(one, at: seen)
        mine.touch(two, at: seen)
        mine.leave(two)
        // Each server writes and reads once a second.
        let end = ContinuousClock.now.advanced(by: .seconds(20))
        while theirs.lastSeen(two) == nil, ContinuousClock.now < end { _ = try await there.probe() }
        #expect(theirs.lastSeen(one) == seen && theirs.lastSeen(two) == seen)
        #expect(theirs.snapshot.filter(\.value.isAbsent).map(\.key) == [two])
    }

    @Test func `an object outlives its row by a day, and by a pin`() async throws {
        let cluster = Cluster()
        let store = try cluster.server()
        let live = try await LiveFederation(creating: "digits", in: Stores(store))
        try await live.register("edge-1", "edge-2")
        for name in ["edge-1", "edge-2"] { try await live.send(name, from: name, round: 1) }
        try store.append([Sample.part("fc1", .a, rows: 0..<4)], of: live.id, round: 1)
        try await live.step(.aggregated(Sample.adapter("1"), round: 1))
        func count() async throws -> Int { try await store.objects.list("b/").objects.count }
        func pass(hours: Double) throws {
            try cluster.query(
                """
                CREATE OR REPLACE FUNCTION now_ms() RETURNS bigint LANGUAGE sql VOLATILE
                  AS $$ SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint + \(Int(hours * 3_600_000)) $$
                """)
        }
        let held: Int? = try cluster.value("SELECT count(object) AS value FROM updates")
        #expect(held == 0)
        try await store.sweepBlobs()
        #expect(try await count() == 2)
        try pass(hours: 23)
        try await store.sweepBlobs()
        #expect(try await count() == 2)
        try pass(hours: 25)
        let url = try TestDatabase.url(ofSchema: cluster.schema)
        try PostgresStore.pin("backup", seconds: 60, in: url, logger: store.logger)
        try await store.sweepBlobs()
        #expect(try await count() == 2)
        try PostgresStore.pin("backup", seconds: 0, in: url, logger: store.logger)
        try await store.sweepBlobs()
        #expect(try await count() == 0)
        #expect(try await store.objects.list("r/").objects.count == 1, "its row is there")
    }
}
