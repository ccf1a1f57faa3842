import Foundation
import HTTPFetching
import RankwiseWire
import TestStage
import Testing

/// The built client on a disk of its own that fills up.
@Suite(.ownThread) struct ClientDiskFullTests {
    private static let admin = "an-admin-token-of-more-than-32-bytes"
    private static let settings = """
        {"id": "f", "base_model": {"name": "mlp-2-4-2", "seed": 5},
         "adapter": {"max_rank": 2, "modules": {"fc1": {"in": 2, "out": 4}, "fc2": {"in": 4, "out": 2}}},
         "round": {"total": 1, "min_clients": 2, "min_updates": 2, "deadline_seconds": 86400, "seen_seconds": 86400}}
        """
    /// Takes all the room of the disk at `$0`.
    private static let filling = #"cat /dev/zero >"$0/ballast" 2>/dev/null"#
    private let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
    private var disk: String { folder + "/disk" }

    init() throws { try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true) }

    private func join(
        _ url: String, _ name: String, state: String, token: String, wrapper: [String] = [],
        _ arguments: [String] = []
    ) throws -> Program {
        let data = folder + "/data.csv"
        try "1,2,0\n3,4,1\n".write(toFile: data, atomically: true, encoding: .utf8)
        return try Program(
            wrapper + [
                Program.builtFolder() + "/rankwise-client", "join", url, "--federation", "f", "--name", name, "--rank",
                "2", "--data", data, "--state", state,
            ] + arguments, environment: ["RANKWISE_TOKEN": token], errors: .merged)
    }

    /// Reads what a client logs up to a line with these words.
    private func expect(_ words: String, from client: Program) {
        while true {
            let line = client.firstLine()
            if line.contains(words) { return }
            guard !line.isEmpty else {
                Issue.record("the client ended without '\(words)'")
                return
            }
        }
    }

    @Test(.enabled(if: DiskFullTests.mayMount))
    func `a client without room waits for it, and then takes part in the same round`() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let server = try Program(
            "rankwise-server", ["serve", "--listen", "127.0.0.1:0", "--data", folder + "/data"],
            environment: ["RANKWISE_ADMIN_TOKEN": Self.admin])
        let url = try #require(server.firstLine().split(separator: " ").last.map(String.init))
        let fetcher = try HTTPFetcher()
        let fields = [HTTPField("Authorization", "Bearer \(Self.admin)")]
        let created = try await fetcher.fetch(
            FetchRequest(.post, url + "/v1/federations", fields: fields, body: .bytes(Array(Self.settings.utf8))))
        let token = try WireJSON.decode(CreatedFederationBody.self, from: Data(created.body)).enrolmentToken

        let full = try join(
            url, "full", state: disk + "/state", token: token,
            wrapper: DiskFullTests.ownDisk(at: disk, then: Self.filling))
        let ballast = "/proc/\(full.id)/root\(disk)/ballast"
        expect("the disk is full", from: full)
        try FileManager.default.removeItem(atPath: ballast)
        expect("waiting", from: full)
        try DiskFullTests.fill(ballast)
        let other = try join(url, "other", state: folder + "/other", token: token)
        expect("the disk is full; next try", from: full)
        expect("the disk is full; next try", from: full)
        try FileManager.default.removeItem(atPath: ballast)
        #expect(full.exitStatus() == 0)
        #expect(other.exitStatus() == 0)
        let answer = try await fetcher.fetch(
            FetchRequest(.get, url + "/v1/federations/f/rounds/1", fields: fields))
        let round = try WireJSON.decode(RoundBody.self, from: Data(answer.body))
        #expect(round.updates.map(\.client).sorted() == ["full", "other"])
        #expect(server.stop() == 0)
    }

    @Test(.enabled(if: DiskFullTests.mayMount))
    func `a client that finds no room at its start for too long is to be started again`() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let client = try join(
            "http://127.0.0.1:1", "full", state: disk + "/state", token: "t",
            wrapper: DiskFullTests.ownDisk(at: disk, then: Self.filling), ["--give-up-after", "1"])
        let lines = client.lines()
        #expect(client.exitStatus() == 4)
        #expect(lines.last?.hasSuffix("the disk is full") == true, "\(lines)")
    }
}
