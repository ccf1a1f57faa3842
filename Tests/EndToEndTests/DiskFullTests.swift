import Foundation
import HTTPFetching
import RankwiseWire
import TestStage
import Testing

/// The built server on a disk of its own that fills up. scripts/disk-full does more of this, with clients.
@Suite(.ownThread) struct DiskFullTests {
    private static let admin = "an-admin-token-of-more-than-32-bytes"
    private static let tokens = [String(repeating: "ab", count: 32), String(repeating: "cd", count: 32)]
    private static let settings = """
        {"id": "f", "base_model": {"name": "mlp-64-256-10", "seed": 5},
         "adapter": {"max_rank": 64, "modules": {"fc1": {"in": 64, "out": 256}}},
         "round": {"total": 1, "min_clients": 2, "min_updates": 2, "seen_seconds": 600}, "seed": 6}
        """

    /// Gives a command a file system of 24 MiB at `path` that nobody else sees.
    ///
    /// - Parameter then: what is done with it before the command begins.
    static func ownDisk(at path: String, then: String = "true") -> [String] {
        let script = #"mount -t tmpfs -o size=24m tmpfs "$0" && \#(then); exec "$@""#
        return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, path]
    }

    /// Whether this machine lets its users mount in a namespace of their own.
    static var mayMount: Bool {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let made: Void? = try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        guard made != nil else { return false }
        return Program.succeeds(ownDisk(at: folder) + ["true"])
    }

    /// Takes all space that a file at `path` can have.
    static func fill(_ path: String) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        try #require(file >= 0)
        defer { close(file) }
        var length = off_t(0)
        for size in [off_t(1 << 20), 4096] {
            while posix_fallocate(file, length, size) == 0 { length += size }
        }
    }

    @Test(.enabled(if: mayMount))
    func `without space an upload is answered with 507 and with space again it counts, without a restart`()
        async throws
    {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let server = try Program(
            "rankwise-server", ["serve", "--listen", "127.0.0.1:0", "--data", folder + "/data"],
            environment: ["RANKWISE_ADMIN_TOKEN": Self.admin], wrapper: Self.ownDisk(at: folder))
        let url = try #require(server.firstLine().split(separator: " ").last.map(String.init))
        let fetcher = try HTTPFetcher()
        func call(
            _ method: FetchRequest.Method, _ path: String, as token: String = Self.admin,
            _ body: FetchRequest.Body = .none
        ) async throws -> FetchResponse {
            try await fetcher.fetch(
                FetchRequest(method, url + path, fields: [HTTPField("Authorization", "Bearer \(token)")], body: body))
        }
        let base = "/v1/federations/f"
        let created = try await call(.post, "/v1/federations", .bytes(Array(Self.settings.utf8)))
        let enrolment = try WireJSON.decode(CreatedFederationBody.self, from: Data(created.body)).enrolmentToken
        for (index, token) in Self.tokens.enumerated() {
            let body = #"{"rank": 64, "token": "\#(token)"}"#
            _ = try await call(.put, base + "/clients/edge-\(index)", as: enrolment, .bytes(Array(body.utf8)))
        }
        let adapter = try await call(.get, base + "/adapter").body
        let update = base + "/rounds/1/update?samples=5"
        #expect(try await call(.put, update, as: Self.tokens[0], .bytes(adapter)).status == 201)

        let ballast = "/proc/\(server.id)/root\(folder)/ballast"
        try Self.fill(ballast)
        #expect(try await call(.put, update, as: Self.tokens[1], .bytes(adapter)).status == 507)
        let held = try await call(.get, base + "/rounds/1")
        let collecting = try WireJSON.decode(RoundBody.self, from: Data(held.body))
        #expect(collecting.phase == "collecting" && collecting.updates.map(\.client) == ["edge-0"])
        // An acknowledgement can be asked for again all the same.
        #expect(try await call(.get, base + "/rounds/1/update", as: Self.tokens[0]).status == 200)

        try FileManager.default.removeItem(atPath: ballast)
        #expect(try await call(.put, update, as: Self.tokens[0], .bytes(adapter)).status == 200)
        #expect(try await call(.put, update, as: Self.tokens[1], .bytes(adapter)).status == 201)
        var round = collecting
        while round.phase != "published" {
            let answer = try await call(.get, base + "/rounds/current?after=\(round.revision)&wait=5")
            if answer.status == 200 { round = try WireJSON.decode(RoundBody.self, from: Data(answer.body)) }
        }
        #expect(round.updates.map(\.client) == ["edge-0", "edge-1"])
        #expect(try await call(.get, "/readyz").status == 200)
        #expect(server.stop() == 0)
    }
}
