import Foundation
import HTTPFetching
import Logging
import MemoryObjects
import TestStage
import Testing

/// Two `rankwise-server` processes on one PostgreSQL and one bucket, over real sockets.
@Suite(.enabled(if: ClusterDatabase.url != nil, "RANKWISE_TEST_POSTGRES names a database"))
struct ClusterServerTests {
    private static let admin = "an-admin-token-of-more-than-32-bytes"

    private let folder = NSTemporaryDirectory() + "rankwise-cluster-\(UUID().uuidString)"

    private func server(_ name: String, schema: String, objects: String, _ extra: [String] = []) throws -> Program {
        let database = try #require(ClusterDatabase.url)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let config = folder + "/server.yaml"
        try """
        object_storage: {endpoint: "\(objects)"}
        postgres: {durability: lone, connections: 2}
        """.write(toFile: config, atomically: true, encoding: .utf8)
        return try Program(
            "rankwise-server",
            [
                "serve", "--config", config, "--listen", "127.0.0.1:0", "--data",
                "\(database)?options=-csearch_path%3D\(schema)", "--objects", "s3://rankwise/\(schema)", "--scratch",
                "\(folder)/\(name)",
            ] + extra,
            environment: [
                "RANKWISE_ADMIN_TOKEN": Self.admin, "AWS_ACCESS_KEY_ID": "memory",
                "AWS_SECRET_ACCESS_KEY": "memory-secret",
            ])
    }

    private func call(
        _ method: FetchRequest.Method, _ url: String, _ body: String? = nil, token: String = Self.admin
    ) async throws -> (status: Int, text: String) {
        let response = try await HTTPFetcher().fetch(
            FetchRequest(
                method, url, fields: [HTTPField("Authorization", "Bearer \(token)")],
                body: body.map { .bytes(Array($0.utf8)) } ?? .none))
        return (response.status, String(decoding: response.body, as: UTF8.self))
    }

    @Test func `what one server stores is known to the other at once`() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let schema = "test_" + UUID().uuidString.lowercased().replacing("-", with: "")
        var configuration = ObjectServer.Configuration()
        configuration.buckets = ["rankwise"]
        let store = ObjectServer(configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let objects = try store.start()
        // libpq makes no schema.
        try Self.psql("CREATE SCHEMA \(schema)")
        defer { try? Self.psql("DROP SCHEMA \(schema) CASCADE") }
        let (here, there) = (
            try server("one", schema: schema, objects: objects), try server("two", schema: schema, objects: objects)
        )
        let urls = try [here, there].map { try #require($0.firstLine().split(separator: " ").last.map(String.init)) }
        let created = try await call(
            .post, urls[0] + "/v1/federations",
            """
            {"id": "shared", "base_model": {"name": "mlp", "seed": 1}, "adapter": {"max_rank": 2, "modules":
            {"fc1": {"in": 4, "out": 4}}}, "round": {"total": 1, "min_clients": 2, "min_updates": 2,
            "deadline_seconds": 3600}}
            """)
        #expect(created.status == 201, "\(created.text)")
        let answer = try JSONDecoder().decode([String: String].self, from: Data(created.text.utf8))
        let enrolment = try #require(answer["enrolment_token"])
        // The other server has neither the federation nor its tokens until it asks the database.
        let token = String(repeating: "ab", count: 32)
        let registered = try await call(
            .put, urls[1] + "/v1/federations/shared/clients/edge-1", "{\"rank\": 2, \"token\": \"\(token)\"}",
            token: enrolment)
        #expect(registered.status == 201, "\(registered.text)")
        let plan = try await call(.get, urls[0] + "/v1/federations/shared/plan", token: token)
        #expect(plan.status == 200, "\(plan.text)")
        // A poll at one server is woken by a change at the other.
        let revision =
            try #require(
                try JSONSerialization.jsonObject(with: Data(plan.text.utf8)) as? [String: Any])["revision"] as? Int
        let after = try #require(revision)
        async let woken = call(
            .get, urls[0] + "/v1/federations/shared/plan?after=\(after)&wait=30", token: token)
        let second = try await call(
            .put, urls[1] + "/v1/federations/shared/clients/edge-2",
            "{\"rank\": 2, \"token\": \"\(String(repeating: "cd", count: 32))\"}", token: enrolment)
        #expect(second.status == 201, "\(second.text)")
        #expect(try await woken.status == 200)
        let revoked = try await call(.delete, urls[1] + "/v1/federations/shared/clients/edge-1")
        #expect((200..<300).contains(revoked.status), "\(revoked.text)")
        // The next step makes the first server catch up, if no notification has.
        _ = try await call(.patch, urls[0] + "/v1/federations/shared", "{\"state\": \"paused\"}")
        #expect(try await call(.get, urls[0] + "/v1/federations/shared/plan", token: token).status == 403)
        #expect(here.stop() == 0 && there.stop() == 0)
    }

    @Test func `a role without shared data, and shared data without a bucket, are refused by name`() throws {
        let alone = try Program("rankwise-server", ["serve", "--data", folder, "--role", "work"])
        #expect(alone.exitStatus() != 0)
        let database = try #require(ClusterDatabase.url)
        let bare = try Program("rankwise-server", ["serve", "--data", database, "--listen", "127.0.0.1:0"])
        #expect(bare.exitStatus() != 0)
    }

    private static func psql(_ statement: String) throws {
        let program = try Program([
            "/usr/lib/postgresql/15/bin/psql", "-q", "-c", "SET client_min_messages = warning", "-c", statement,
            try #require(ClusterDatabase.url),
        ])
        #expect(program.exitStatus() == 0)
    }
}
