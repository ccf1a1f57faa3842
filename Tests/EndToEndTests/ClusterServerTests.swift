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

    @Test func `an adapter that one server has dropped is gone at the other, which had served it`() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let schema = "test_" + UUID().uuidString.lowercased().replacing("-", with: "")
        var configuration = ObjectServer.Configuration()
        configuration.buckets = ["rankwise"]
        let store = ObjectServer(configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let objects = try store.start()
        try Self.psql("CREATE SCHEMA \(schema)")
        defer { try? Self.psql("DROP SCHEMA \(schema) CASCADE") }
        let servers = try ["one", "two"].map { try server($0, schema: schema, objects: objects) }
        let urls = try servers.map { try #require($0.firstLine().split(separator: " ").last.map(String.init)) }
        let created = try await call(
            .post, urls[0] + "/v1/federations",
            """
            {"id": "f", "base_model": {"name": "mlp-2-6-2", "seed": 5}, "adapter": {"max_rank": 2, "modules":
            {"fc1": {"in": 2, "out": 6}, "fc2": {"in": 6, "out": 2}}}, "round": {"total": 3, "min_updates": 1},
            "training": {"epochs": 1}}
            """)
        let answer = try JSONDecoder().decode([String: String].self, from: Data(created.text.utf8))
        let data = folder + "/data.csv"
        try "1,2,0\n3,4,1\n".write(toFile: data, atomically: true, encoding: .utf8)
        let client = try Program(
            "rankwise-client",
            [
                "join", urls[0], "--federation", "f", "--name", "edge", "--rank", "2", "--data", data, "--state",
                folder + "/state",
            ], environment: ["RANKWISE_TOKEN": try #require(answer["enrolment_token"])])
        #expect(client.exitStatus() == 0)
        func statuses() async throws -> [String] {
            var found: [String] = []
            for url in urls {
                for round in 1...3 {
                    let answer = try await call(.get, url + "/v1/federations/f/rounds/\(round)/adapter?rank=2")
                    let isDropped = answer.text.contains("\"adapter.dropped\"")
                    found.append("\(answer.status)" + (isDropped ? " adapter.dropped" : ""))
                }
            }
            return found
        }
        #expect(try await statuses() == Array(repeating: "200", count: 6))
        for retention in [#"{"last": 1}"#, #""all""#] {
            let changed = try await call(
                .patch, urls[0] + "/v1/federations/f", #"{"retention": {"adapters": \#(retention)}}"#)
            #expect(changed.status == 200, "\(changed.text)")
            let gone = "410 adapter.dropped"
            #expect(try await statuses() == [gone, gone, "200", gone, gone, "200"], "adapters: \(retention)")
        }
        for server in servers { #expect(server.stop() == 0) }
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
