import Foundation
import MemoryObjects
import TestStage
import Testing

/// Rounds under `sum: exact` that the workers of a cluster add up together: real programs, sockets and database.
@Suite(.enabled(if: ClusterDatabase.url != nil, "RANKWISE_TEST_POSTGRES names a database"))
struct SharedRoundTests {
    private static let parts = "limits: {part_bytes: 1, part_clients: 1}"
    private static let count = 7

    /// What one server with a data folder publishes of the same updates.
    private func alone(_ federation: ExactFederation, _ order: [Int]) async throws -> String {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let server = try Program(
            "rankwise-server", ["serve", "--listen", "127.0.0.1:0", "--data", folder],
            environment: ["RANKWISE_ADMIN_TOKEN": ExactFederation.admin])
        let url = try server.address()
        let enrolment = try await ExactFederation.create(at: url, ExactFederation.settings(answers: Self.count))
        try await federation.register(0..<Self.count, at: url, enrolment: enrolment)
        try await federation.send(order, to: url)
        let digest = try await ExactFederation.published(at: url)
        #expect(server.stop() == 0)
        return digest
    }

    @Test func `one, two and five workers publish one digest, also where a worker is killed within a round`()
        async throws
    {
        let federation = try ExactFederation(Self.count)
        var digests = [try await alone(federation, [3, 5, 1, 6, 0, 2, 4])]
        for (count, order) in [(2, [0, 1, 2, 3, 4, 5, 6]), (5, [6, 2, 4, 0, 5, 1, 3])] {
            let cluster = try Cluster()
            let front = try cluster.server("front", ["--role", "serve"])
            let url = try front.address()
            let workers = try (0..<count).map {
                try cluster.server("worker-\($0)", settings: Self.parts, ["--role", "work"])
            }
            for worker in workers {
                #expect(worker.firstLine() == "working")
                #expect(try ignoresSIGPIPE(worker), "a bucket may close a connection at any moment")
            }
            let enrolment = try await ExactFederation.create(at: url, ExactFederation.settings(answers: Self.count))
            try await federation.register(0..<Self.count, at: url, enrolment: enrolment)
            try await federation.send(order.dropLast(), to: url)
            // Every server has heard of all others.
            try cluster.wait(for: "\(count)", to: "SELECT count(*) FROM servers WHERE works")
            let now = try cluster.psql("SELECT now_ms()")
            try cluster.wait(for: "\(count)", to: "SELECT count(*) FROM servers WHERE works AND alive_at > \(now)")
            // The last update is stored, and then nobody reads objects until a worker was killed.
            cluster.objects.fail(.delay(.zero))
            cluster.objects.fail(.answer(status: 503, code: "SlowDown"), times: 100_000)
            try await federation.send(order.suffix(1), to: url)
            try cluster.wait(
                for: "\(count)",
                to: "SELECT count(*) FROM jobs WHERE kind = 'part' AND holder IS NOT NULL AND NOT is_done")
            #expect(try cluster.psql("SELECT count(*) FROM round_parts") == "\(count)")
            workers[0].crash()
            // Its leases end at once, and not in half a minute.
            try cluster.psql("UPDATE jobs SET expires_at = 0 WHERE NOT is_done")
            cluster.objects.heal()
            digests.append(try await ExactFederation.published(at: url))
            #expect(try cluster.psql("SELECT count(*) FROM round_parts") == "0")
            #expect(try cluster.psql("SELECT count(*) FROM jobs WHERE kind = 'part'") == "0")
            for program in workers.dropFirst() + [front] { #expect(program.stop() == 0) }
        }
        #expect(Set(digests).count == 1, "\(digests)")
    }

    /// Whether the program goes on where it writes to a connection that is closed, by the kernel's list of its signals.
    private func ignoresSIGPIPE(_ program: Program) throws -> Bool {
        let status = try String(contentsOfFile: "/proc/\(program.id)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("SigIgn:") })
        let ignored = try #require(UInt64(line.dropFirst("SigIgn:".count).drop { $0 == "\t" || $0 == " " }, radix: 16))
        return ignored & 1 << UInt64(SIGPIPE - 1) != 0
    }
}
