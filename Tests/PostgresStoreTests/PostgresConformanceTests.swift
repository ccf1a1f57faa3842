import Crypto
import Federation
import Foundation
import StoreConformance
import Synchronization
import Testing

@testable import PostgresStore

/// PostgreSQL and a bucket keep what the ports promise.
@Suite(.enabled(if: TestDatabase.isThere, "RANKWISE_TEST_POSTGRES names a database"))
struct PostgresConformanceTests {
    /// A store whose schema and prefix belong to the test's folder, so that it finds its data again.
    static func subject(_ name: String = "PostgreSQL") -> StoreUnderTest {
        StoreUnderTest(name) { folder in
            let schema = Self.schema(of: folder)
            let url = try TestDatabase.url(ofSchema: schema)
            var configuration = PostgresStore.Configuration(url: url, scratch: folder + "/scratch")
            configuration.durability = .lone
            configuration.connections = 4
            let store = try PostgresStore(
                configuration, objects: try TestObjects.bucket(prefix: schema), logger: TestObjectsServer.quiet)
            let shift = Mutex(0.0)
            return OpenStore(
                Stores(store),
                advance: { seconds in
                    let total = shift.withLock { shift in
                        shift += seconds
                        return shift
                    }
                    try? Self.move(clockOf: url, by: total)
                    store.follower.clock.shift(by: seconds)
                },
                close: { try store.close() })
        } clean: { folder in
            try? TestDatabase.drop(schema: Self.schema(of: folder))
        }
    }

    private static func schema(of folder: String) -> String {
        "test_" + SHA256.hash(data: Data(folder.utf8)).prefix(12).map { String($0, radix: 16) }.joined()
    }

    /// Moves the clock by which leases and graces end in one schema.
    private static func move(clockOf url: String, by seconds: Double) throws {
        try PostgresConnection(url).runSimple(
            """
            CREATE OR REPLACE FUNCTION now_ms() RETURNS bigint LANGUAGE sql VOLATILE
              AS $$ SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint + \(Int(seconds * 1000)) $$
            """)
    }

    @Test(arguments: ConformanceCheck.all)
    func `PostgreSQL and a bucket keep the ports' promises`(_ check: ConformanceCheck) async throws {
        try await check.run(Self.subject())
    }
}
