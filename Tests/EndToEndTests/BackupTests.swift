import Foundation
import HTTPFetching
import RankwiseWire
import TestStage
import Testing

/// The built server's `backup` and `verify`, beside a server and on what was restored.
@Suite(.ownThread) struct BackupTests {
    private static let admin = "an-admin-token-of-more-than-32-bytes"
    private static let tokens = [
        "edge-1": String(repeating: "ab", count: 32), "edge-2": String(repeating: "cd", count: 32),
    ]
    private static let settings = """
        {"id": "f", "base_model": {"name": "mlp-2-6-2", "seed": 5},
         "adapter": {"max_rank": 4, "modules": {"fc1": {"in": 2, "out": 6}, "fc2": {"in": 6, "out": 2}}},
         "round": {"total": 3, "min_clients": 2, "min_updates": 2, "seen_seconds": 600}, "seed": 6}
        """

    /// A running server and calls to it.
    private struct Server {
        let program: Program
        let url: String
        let fetcher: HTTPFetcher

        init(data: String) throws {
            program = try Program(
                "rankwise-server", ["serve", "--listen", "127.0.0.1:0", "--data", data],
                environment: ["RANKWISE_ADMIN_TOKEN": BackupTests.admin])
            url = try #require(program.firstLine().split(separator: " ").last.map(String.init))
            fetcher = try HTTPFetcher()
        }

        func call(
            _ method: FetchRequest.Method, _ path: String, as token: String = BackupTests.admin,
            _ body: FetchRequest.Body = .none
        ) async throws -> FetchResponse {
            try await fetcher.fetch(
                FetchRequest(
                    method, url + "/v1/federations" + path, fields: [HTTPField("Authorization", "Bearer \(token)")],
                    body: body))
        }

        /// Sends an adapter as a client's update.
        func send(_ adapter: [UInt8], from client: String, round: Int, samples: Int) async throws {
            let path = "/f/rounds/\(round)/update?samples=\(samples)"
            let sent = try await call(.put, path, as: try #require(BackupTests.tokens[client]), .bytes(adapter))
            #expect(sent.status == 201)
        }

        /// The round once it is published.
        func published(_ number: Int) async throws -> RoundBody {
            var revision: Int64 = 0
            while true {
                let current = try await call(.get, "/f/rounds/current?after=\(revision)&wait=5")
                if current.status == 200 {
                    revision = try WireJSON.decode(RoundBody.self, from: Data(current.body)).revision
                }
                let answer = try await call(.get, "/f/rounds/\(number)")
                let round = try WireJSON.decode(RoundBody.self, from: Data(answer.body))
                if round.phase == "published" { return round }
            }
        }
    }

    private func run(_ arguments: String...) throws -> (status: Int32, lines: [String]) {
        let program = try Program("rankwise-server", arguments)
        let lines = program.lines()
        return (program.exitStatus(), lines)
    }

    /// Round 1 is published, and round 2 holds the update of edge-1 alone.
    private func withRound(_ test: (Server, _ adapter: [UInt8], _ folder: String) async throws -> Void) async throws {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let server = try Server(data: folder + "/data")
        let created = try await server.call(.post, "", .bytes(Array(Self.settings.utf8)))
        let enrolment = try WireJSON.decode(CreatedFederationBody.self, from: Data(created.body)).enrolmentToken
        for (name, token) in Self.tokens.sorted(by: { $0.key < $1.key }) {
            let body = #"{"rank": 4, "token": "\#(token)"}"#
            _ = try await server.call(.put, "/f/clients/\(name)", as: enrolment, .bytes(Array(body.utf8)))
        }
        let adapter = try await server.call(.get, "/f/rounds/0/adapter").body
        try await server.send(adapter, from: "edge-1", round: 1, samples: 5)
        try await server.send(adapter, from: "edge-2", round: 1, samples: 7)
        _ = try await server.published(1)
        try await server.send(adapter, from: "edge-1", round: 2, samples: 5)
        try await test(server, adapter, folder)
    }

    @Test func `a round backed up in its middle ends elsewhere with the same bytes`() async throws {
        try await withRound { server, adapter, folder in
            let backup = try run("backup", folder + "/backup.tar", "--data", folder + "/data")
            #expect(backup.status == 0)
            try await server.send(adapter, from: "edge-2", round: 2, samples: 7)
            let expected = try await server.published(2)
            #expect(server.program.stop() == 0)

            try FileManager.default.createDirectory(atPath: folder + "/restored", withIntermediateDirectories: true)
            #expect(Program.succeeds(["tar", "-xf", folder + "/backup.tar", "-C", folder + "/restored"]))

            #expect(try run("verify", "--data", folder + "/restored").status == 0)
            let restored = try Server(data: folder + "/restored")
            try await restored.send(adapter, from: "edge-2", round: 2, samples: 7)
            let round = try await restored.published(2)
            #expect(round.adapter?.digest != nil && round.adapter == expected.adapter)
            #expect(round.updates.map(\.client) == ["edge-1", "edge-2"])
            #expect(try run("verify", "--data", folder + "/restored").status == 0)
            #expect(restored.program.stop() == 0)
        }
    }

    @Test func `verify is content beside a server and after it, and names what was tampered with`() async throws {
        try await withRound { server, _, folder in
            let data = folder + "/data"
            let events = try WireJSON.decode(
                [String: [EventBody]].self, from: Data(try await server.call(.get, "/f/events?limit=1000").body))
            let head = try #require(events["events"]?.last?.hash)
            let beside = try run("verify", "--data", data, "--pin", "f=\(head)")
            #expect(beside.status == 0)
            #expect(beside.lines.contains("f: \(events["events"]?.count ?? 0) events, head \(head)"))
            #expect(beside.lines.contains("f: 1 published adapter"))
            #expect(server.program.stop() == 0)
            #expect(try run("verify", "--data", data).lines == beside.lines)

            let blob = try #require(try FileManager.default.contentsOfDirectory(atPath: data + "/blobs").first)
            #expect(truncate(data + "/blobs/" + blob, 3) == 0)
            let torn = try run("verify", "--data", data, "--pin", "f=sha256:" + blob)
            #expect(torn.status == 1)
            let findings = torn.lines.filter { $0.hasPrefix("finding: ") }
            #expect(findings.count == 2)
            #expect(findings.contains { $0.contains(blob) && $0.contains("edge-1 (f, round 2) has 3 bytes") })
            #expect(try run("verify", "--data", folder + "/nowhere").status == 1)
            #expect(try run("verify", "--data", data, "--pin", "f").status != 0)
        }
    }

    @Test func `a second server on a served folder is refused, and the first goes on`() async throws {
        try await withRound { server, _, folder in
            let second = try run("serve", "--listen", "127.0.0.1:0", "--data", folder + "/data")
            #expect(second.status == 1 && second.lines.isEmpty)
            #expect(try await server.call(.get, "/f").status == 200)
            #expect(server.program.stop() == 0)
        }
    }
}
