import Foundation
import HTTPFetching
import RankwiseWire
import TestStage
import Testing

/// The built server and clients, with the server killed in the middle of a round.
@Suite(.ownThread) struct CrashTests {
    private static let admin = "an-admin-token-of-more-than-32-bytes"
    private static let token = String(repeating: "ef", count: 32)
    private static let settings = """
        {"id": "f", "base_model": {"name": "mlp-2-6-2", "seed": 5},
         "adapter": {"max_rank": 4, "modules": {"fc1": {"in": 2, "out": 6}, "fc2": {"in": 6, "out": 2}}},
         "round": {"total": 2, "min_updates": 3, "seen_seconds": 600}, "training": {"epochs": 2}, "seed": 6}
        """

    private struct Caller {
        let url: String
        let token: String
        let fetcher: HTTPFetcher

        func call(_ method: FetchRequest.Method, _ path: String, _ body: FetchRequest.Body = .none) async throws
            -> FetchResponse
        {
            try await fetcher.fetch(
                FetchRequest(method, url + path, fields: [HTTPField("Authorization", "Bearer \(token)")], body: body))
        }

        /// The current round once it satisfies `condition`.
        func round(where condition: (RoundBody) -> Bool) async throws -> RoundBody {
            var path = "/v1/federations/f/rounds/current"
            while true {
                let answer = try await call(.get, path)
                if answer.status == 200 {
                    let round = try WireJSON.decode(RoundBody.self, from: Data(answer.body))
                    if condition(round) { return round }
                    path = "/v1/federations/f/rounds/current?after=\(round.revision)&wait=5"
                }
            }
        }
    }

    /// Two rounds of two real clients and a third that is played by hand; the digests of what was published.
    private func run(crashing: Bool) async throws -> [String?] {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let port = try ReservedPort()
        let url = "http://127.0.0.1:\(port.number)"
        func serve() throws -> Program {
            let server = try Program(
                "rankwise-server", ["serve", "--listen", "127.0.0.1:\(port.number)", "--data", folder + "/data"],
                environment: ["RANKWISE_ADMIN_TOKEN": Self.admin])
            #expect(server.firstLine() == "listening on \(url)")
            return server
        }
        var server = try serve()
        let fetcher = try HTTPFetcher()
        let admin = Caller(url: url, token: Self.admin, fetcher: fetcher)
        let created = try await admin.call(.post, "/v1/federations", .bytes(Array(Self.settings.utf8)))
        let tokens = try WireJSON.decode(CreatedFederationBody.self, from: Data(created.body))
        let reader = Caller(url: url, token: tokens.readerToken, fetcher: fetcher)
        let byHand = Caller(url: url, token: Self.token, fetcher: fetcher)
        _ = try await Caller(url: url, token: tokens.enrolmentToken, fetcher: fetcher).call(
            .put, "/v1/federations/f/clients/third", .bytes(Array(#"{"rank": 4, "token": "\#(Self.token)"}"#.utf8)))
        let clients = try (1...2).map { index in
            let data = folder + "/data-\(index).csv"
            try (0..<20).map { "\(Double($0 % 5) * 0.3),\(Double($0 * index % 7) * 0.2),\($0 % 2)" }
                .joined(separator: "\n").write(toFile: data, atomically: true, encoding: .utf8)
            return try Program(
                "rankwise-client",
                [
                    "join", url, "--federation", "f", "--name", "edge-\(index)", "--rank", "\(2 * index)", "--data",
                    data,
                    "--state", folder + "/state-\(index)",
                ],
                environment: ["RANKWISE_TOKEN": tokens.enrolmentToken])
        }
        var digests: [String?] = []
        for number in 1...2 {
            let before = try await reader.round { $0.round == number && $0.received == 2 }
            if crashing {
                server.crash()
                server = try serve()
                let after = try await reader.round { _ in true }
                #expect(after.updates == before.updates && after.phase == "collecting")
            }
            let adapter = try await byHand.call(.get, "/v1/federations/f/rounds/\(number - 1)/adapter")
            let sent = try await byHand.call(
                .put, "/v1/federations/f/rounds/\(number)/update?samples=5", .bytes(adapter.body))
            #expect(sent.status == 201)
            _ = try await reader.round { $0.round > number || $0.phase == "published" }
            let round = try await reader.call(.get, "/v1/federations/f/rounds/\(number)")
            let published = try WireJSON.decode(RoundBody.self, from: Data(round.body))
            #expect(published.updates.map(\.client) == ["edge-1", "edge-2", "third"])
            digests.append(published.adapter?.digest)
        }
        #expect(clients.map { $0.exitStatus() } == [0, 0])
        #expect(server.stop() == 0)
        return digests
    }

    @Test func `a server killed in every round publishes the same bytes, and its clients just wait`() async throws {
        let undisturbed = try await run(crashing: false)
        #expect(undisturbed.count == 2 && !undisturbed.contains(nil) && undisturbed[0] != undisturbed[1])
        #expect(try await run(crashing: true) == undisturbed)
    }
}
