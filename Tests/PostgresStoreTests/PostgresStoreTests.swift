import Crypto
import Federation
import Foundation
import Logging
import ObjectStorage
import SQLiteStore
import StoreConformance
import StoredRows
import Testing

@testable import PostgresStore

/// What PostgreSQL and a bucket promise beyond the ports: several servers, lost answers, lost commits, orphans.
@Suite(.enabled(if: TestDatabase.isThere, "RANKWISE_TEST_POSTGRES names a database"))
struct PostgresStoreTests {
    /// A schema and a prefix with the stores of several servers.
    final class Cluster {
        let schema = "test_" + UUID().uuidString.lowercased().replacing("-", with: "")
        let folder = NSTemporaryDirectory() + "rankwise-cluster-" + UUID().uuidString
        private var stores: [PostgresStore] = []

        func server(
            url: String? = nil, patience: Double = 10, schema tables: PostgresSchema = .current,
            logger: Logger = TestObjectsServer.quiet
        ) throws -> PostgresStore {
            let direct = try TestDatabase.url(ofSchema: schema)
            var configuration = PostgresStore.Configuration(
                url: url ?? direct, scratch: "\(folder)/\(stores.count)")
            configuration.durability = .lone
            configuration.connections = 2
            configuration.patience = patience
            let store = try PostgresStore(
                configuration, schema: tables, objects: try TestObjects.bucket(prefix: schema), logger: logger)
            stores.append(store)
            return store
        }

        func value<Value: StoredReadable>(_ sql: String) throws -> Value? {
            try PostgresConnection(TestDatabase.url(ofSchema: schema)).run(sql).first?.value("value")
        }

        func query(_ sql: String) throws { try PostgresConnection(TestDatabase.url(ofSchema: schema)).runSimple(sql) }

        deinit {
            for store in stores { try? store.close() }
            try? TestDatabase.drop(schema: schema)
            try? FileManager.default.removeItem(atPath: folder)
        }
    }

    @Test func `a server learns what another one stores, creates and deletes`() async throws {
        let cluster = Cluster()
        let (here, there) = (try cluster.server(), try cluster.server())
        let news = there.steps()
        let live = try await LiveFederation(creating: "digits", in: Stores(here))
        try await live.register("edge-1")
        _ = try await here.delete(live.id, releasing: true, at: Sample.createdAt)
        var heard: [StoredStep] = []
        for await step in news {
            heard.append(step)
            if step.kind == .gone { break }
        }
        #expect(heard.last == StoredStep(federation: live.id, revision: -1, kind: .gone) || heard.last?.revision == 0)
        #expect(heard.dropLast().allSatisfy { $0.federation == live.id && $0.kind == .stored })
        #expect(try await there.federation(live.id) == nil)
    }

    @Test func `a step counts once, whatever answer of the database is lost`() async throws {
        let cluster = Cluster()
        let direct = try TestDatabase.url(ofSchema: cluster.schema)
        let port = try #require(URLComponents(string: direct)?.port)
        let relay = try Relay(to: UInt16(port))
        defer { relay.stop() }
        let (_, log) = HeardLog.make()
        let store = try cluster.server(
            url: direct.replacing(":\(port)/", with: ":\(relay.port)/"), logger: Logger(label: "test") { _ in log })
        let live = try await LiveFederation(creating: "digits", in: Stores(store))
        try await live.register("edge-1", "edge-2")
        let revision = live.machine.revision
        // The follower has answers too, so which one is lost is left to chance until it was that of a commit.
        var steps = 0
        while steps < 3 || !log.has("the answer to a commit was lost") {
            try #require(steps < 100, "no commit's answer was lost")
            relay.lose(after: steps % 3)
            // Made twice it would count twice, unlike a registration.
            try await live.step(.refused(Sample.refusal("edge-2", "update.shape"), round: 1))
            steps += 1
            while relay.lostCount < steps { await Task.yield() }
            #expect(live.machine.revision == revision + Int64(steps))
            #expect(live.machine.round?.refusals.map(\.count) == [steps])
        }
        let found = try #require(try await store.federation(live.id))
        expectEqual(found.machine, live.machine)
        let events = try await store.events(after: 0, limit: 100, of: live.id)
        #expect(events.count { $0.event.kind == "update.refused" } == 1)
    }

    @Test func `a server goes on from a database that has an older state`() async throws {
        let cluster = Cluster()
        let store = try cluster.server()
        let live = try await LiveFederation(creating: "digits", in: Stores(store))
        let before = live.machine
        try await live.register("edge-1")
        // What a failover to an asynchronous standby loses.
        try cluster.query(
            """
            DELETE FROM clients; DELETE FROM events; DELETE FROM steps;
            UPDATE federations SET revision = \(before.revision), event_seq = 0, event_head = NULL, client_number = 0
            """)
        try await live.register("edge-2")
        #expect(live.machine.revision == before.revision + 1)
        #expect(live.machine.clients.values.map(\.name.rawValue) == ["edge-2"])
    }

    @Test func `a copy from before a failover is read again, also at the same revision`() async throws {
        let cluster = Cluster()
        let store = try cluster.server()
        let live = try await LiveFederation(creating: "digits", in: Stores(store))
        try await live.register("edge-1")
        // The revision is the same, and what it stands for is not: the lost commit was followed by another one.
        try cluster.query("UPDATE clients SET name = 'edge-9'")
        try await live.register("edge-2")
        #expect(live.machine.clients[try ClientName("edge-9")] == nil, "nothing says that the history is another one")
        store.timelines.noteRead(live.id, on: "an earlier timeline")
        try await live.register("edge-3")
        #expect(
            live.machine.clients.keys.map(\.rawValue).sorted() == ["edge-2", "edge-3", "edge-9"])
    }

    @Test func `another server goes on with an upload, and the first one cannot any more`() async throws {
        let cluster = Cluster()
        let (here, there) = (try cluster.server(), try cluster.server())
        let live = try await LiveFederation(creating: "digits", in: Stores(here))
        let key = UploadKey(federation: live.id, round: 1, client: try ClientName("edge-1"))
        let first = try await here.beginUpload(key, length: 8, sureLength: nil)
        try Data("half".utf8).write(to: URL(fileURLWithPath: first.path))
        try await here.keep(0..<4, of: key, in: first)
        let second = try #require(try await there.refreshed(nil, of: key))
        #expect(second.offset == 4)
        try Data("halfway!".utf8).write(to: URL(fileURLWithPath: first.path))
        await #expect(throws: StoreError.fenced) { try await here.keep(4..<8, of: key, in: first) }
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: second.file.path))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data("-way".utf8))
        try handle.close()
        try await there.gather(key, into: second.file)
        #expect(FileManager.default.contents(atPath: second.file.path) == Data("half-way".utf8))
    }

    @Test func `small updates that come together share an object, which stays as long as one of them counts`()
        async throws
    {
        let cluster = Cluster()
        let (here, there) = (try cluster.server(), try cluster.server())
        let live = try await LiveFederation(creating: "digits", in: Stores(here)) { settings in
            settings.limits.clients = 50
            (settings.policy.minimumClients, settings.policy.minimumUpdates) = (30, 30)
        }
        let names = (0..<30).map { "edge-\($0)" }
        for name in names { try await live.register(name) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for name in names {
                let spool = try live.spool("of \(name)")
                group.addTask { try await here.publish(spool, as: Sample.contentDigest("of \(name)")) }
            }
            try await group.waitForAll()
        }
        // One of them is not recorded.
        await here.withdraw(Sample.contentDigest("of edge-29"), backTo: nil)
        for name in names.dropLast() {
            let update = Sample.update(try ClientName(name), "of \(name)")
            try await live.step(.update(update, round: 1))
        }
        let objects = try await here.objects.list("b/", after: nil).objects
        #expect(objects.count < 20, "\(objects.count) objects for 30 files")
        for name in names.dropLast() {
            let file = try #require(try there.lend(Sample.contentDigest("of \(name)")))
            #expect(FileManager.default.contents(atPath: file.path) == Data("of \(name)".utf8))
        }
        let day = "UPDATE garbage SET since = since - 100000000"
        try await live.step(.takeBack(try ClientName("edge-3"), round: 1))
        try cluster.query(day)
        try await here.sweepBlobs()
        #expect(try there.lend(Sample.contentDigest("of edge-3")) == nil)
        #expect(try await there.sweepOrphans(olderThan: 0) == 0)
        let server = try cluster.server()
        for name in names.dropLast() where name != "edge-3" {
            #expect(try server.lend(Sample.contentDigest("of \(name)")) != nil, "\(name)'s object is there")
        }
        try await live.step(.setState(.finished))
        try cluster.query(day)
        try await here.sweepBlobs()
        #expect(try await here.objects.list("b/", after: nil).objects.isEmpty)
    }

    @Test func `objects that no row names are deleted once they are old, and not under a pin`() async throws {
        let cluster = Cluster()
        let store = try cluster.server()
        let live = try await LiveFederation(creating: "digits", in: Stores(store))
        try await live.register("edge-1", "edge-2")
        try await live.send("kept", from: "edge-1", round: 1)
        try await store.objects.put("b/orphan", Array("orphan".utf8))
        #expect(try await store.sweepOrphans() == 0, "it is not a day old")
        try PostgresStore.pin(
            "backup", seconds: 60, in: TestDatabase.url(ofSchema: cluster.schema), logger: store.logger)
        #expect(try await store.sweepOrphans(olderThan: -60) == 0)
        try PostgresStore.pin(
            "backup", seconds: 0, in: TestDatabase.url(ofSchema: cluster.schema), logger: store.logger)
        #expect(try await store.sweepOrphans(olderThan: -60) == 1)
        #expect(try live.blob("kept") == "kept")
    }

    @Test func `a federation goes to a folder and back with all it has`() async throws {
        let cluster = Cluster()
        let store = try cluster.server()
        let live = try await LiveFederation(creating: "digits", in: Stores(store))
        try await live.register("edge-1", "edge-2")
        try await live.send("one", from: "edge-1", round: 1)
        try await live.send("two", from: "edge-2", round: 1)
        try store.append([Sample.part("fc1", .a, rows: 0..<4)], of: live.id, round: 1)
        try await live.step(.aggregated(Sample.adapter("1"), round: 1))
        try await live.send("three", from: "edge-1", round: 2)
        let folder = try SQLiteStore(directory: cluster.folder + "/data", logger: TestObjectsServer.quiet)
        try folder.take(try #require(try store.movable(live.id)))
        let moved = try await LiveFederation(loadedFrom: Stores(folder))
        expectEqual(moved.machine, live.machine)
        #expect(try moved.blob("three") == "three")
        let events = try await store.events(after: 0, limit: 100, of: live.id).map(\.hash)
        #expect(try await folder.events(after: 0, limit: 100, of: live.id).map(\.hash) == events)
        _ = try await store.delete(live.id, releasing: true, at: Sample.createdAt)
        try store.take(try #require(try folder.movable(live.id)))
        let back = try await LiveFederation(loadedFrom: Stores(store))
        expectEqual(back.machine, live.machine)
        #expect(try back.blob("three") == "three")
        let tensor = AdapterTensor(name: "fc1", kind: .a)
        #expect(try store.rows(9, of: tensor, federation: live.id, round: 1) == Sample.values(0..<4))
        #expect(try await store.events(after: 0, limit: 100, of: live.id).map(\.hash) == events)
        // It goes on where it stood.
        try await back.send("four", from: "edge-2", round: 2)
        #expect(back.machine.round?.phase == .aggregating)
        try folder.close()
    }
}
