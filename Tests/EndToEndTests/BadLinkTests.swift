import Foundation
import HTTPFetching
import RankwiseWire
import Synchronization
import TestStage
import Testing

/// The built server and client with a link between them that breaks, and both of them killed on the way.
@Suite(.ownThread) struct BadLinkTests {
    private static let admin = "an-admin-token-of-more-than-32-bytes"
    /// The update's tensors: A of 64 × 512 and B of 512 × 64, four bytes a number.
    private static let size = 2 * 64 * 512 * 4

    /// A server with a federation of one client, whose trainer sends back what it got.
    private final class Stage {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        private let reserved: ReservedPort
        private(set) var server: Program
        private var enrolment = ""
        private let fetcher: HTTPFetcher

        init() async throws {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try """
            #!/bin/sh
            cp "$1/adapter_model.safetensors" "$2/adapter_model.safetensors"
            echo '{"samples": 10, "loss": 0.5, "accuracy": 0.5}' >"$2/metrics.json"
            """.write(toFile: folder + "/trainer", atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: folder + "/trainer")
            reserved = try ReservedPort()
            server = try Self.serve(reserved.number, folder)
            fetcher = try HTTPFetcher()
            let created = try await call(
                .post, "",
                .bytes(
                    Array(
                        """
                        {"id": "f", "base_model": {"name": "none"}, "round": {"total": 1, "min_updates": 1},
                         "adapter": {"max_rank": 64, "modules": {"layer": {"in": 512, "out": 512}}}}
                        """.utf8)))
            enrolment = try WireJSON.decode(CreatedFederationBody.self, from: Data(created.body)).enrolmentToken
        }

        deinit { try? FileManager.default.removeItem(atPath: folder) }

        var port: UInt16 { reserved.number }

        private static func serve(_ port: UInt16, _ folder: String) throws -> Program {
            let server = try Program(
                "rankwise-server", ["serve", "--listen", "127.0.0.1:\(port)", "--data", folder + "/data"],
                environment: ["RANKWISE_ADMIN_TOKEN": admin])
            #expect(server.firstLine() == "listening on http://127.0.0.1:\(port)")
            return server
        }

        func crashServer() throws {
            server.crash()
            server = try Self.serve(port, folder)
        }

        func join(through link: BadLink, resumableFrom: Int) throws -> Program {
            try Program(
                "rankwise-client",
                [
                    "join", "http://127.0.0.1:\(link.port)", "--federation", "f", "--name", "edge", "--rank", "64",
                    "--data", folder + "/trainer", "--trainer", folder + "/trainer", "--state", folder + "/state",
                    "--rounds", "1", "--resumable-from", "\(resumableFrom)",
                ], environment: ["RANKWISE_TOKEN": enrolment])
        }

        func call(
            _ method: FetchRequest.Method, _ path: String, _ body: FetchRequest.Body = .none
        ) async throws -> FetchResponse {
            try await fetcher.fetch(
                FetchRequest(
                    method, "http://127.0.0.1:\(port)/v1/federations" + path,
                    fields: [HTTPField("Authorization", "Bearer \(BadLinkTests.admin)")], body: body))
        }

        func round() async throws -> RoundBody {
            try WireJSON.decode(RoundBody.self, from: Data(try await call(.get, "/f/rounds/1").body))
        }
    }

    /// Runs the client to its end and answers the round.
    private func finish(_ stage: Stage, _ client: Program) async throws -> RoundBody {
        #expect(client.exitStatus() == 0)
        let round = try await stage.round()
        #expect(round.updates.map(\.status) == ["accepted"])
        #expect(stage.server.stop() == 0)
        return round
    }

    @Test func `an update crosses a link that breaks all the time, with a tenth more bytes at most`() async throws {
        let stage = try await Stage()
        let rules = BadLink.Rules(bytesUntilCut: { 20_000 + 7919 * $0 % 9000 })
        let link = try BadLink(to: stage.port, rules: rules)
        defer { link.stop() }
        let round = try await finish(stage, try stage.join(through: link, resumableFrom: 1))
        #expect(round.updates.allSatisfy { $0.bytes > Self.size })
        #expect(link.cuts >= 8)
        #expect(link.sent <= Self.size * 11 / 10)
    }

    @Test func `an update goes on where it was after client and server are killed`() async throws {
        let stage = try await Stage()
        // Both are killed once a connection follows one that brought a part of the upload; until then nothing more passes.
        let uploads = stage.folder + "/data/uploads"
        let reached = AsyncStream.makeStream(of: Void.self)
        let isCut = Mutex(false)
        let areKilled = Mutex(false)
        let rules = BadLink.Rules(bytesUntilCut: { _ in
            let parts = try? FileManager.default.contentsOfDirectory(atPath: uploads)
            let isPartial = parts?.isEmpty == false && !areKilled.withLock { $0 }
            guard
                isCut.withLock({ isCut in
                    isCut = isCut || isPartial; return isCut
                })
            else { return 25_000 }
            reached.continuation.yield()
            return 1
        })
        let link = try BadLink(to: stage.port, rules: rules)
        defer { link.stop() }
        let first = try stage.join(through: link, resumableFrom: 1)
        for await _ in reached.stream { break }
        first.crash()
        try stage.crashServer()
        let held = try FileManager.default.contentsOfDirectory(atPath: uploads)
        #expect(held.count == 1 && held[0].hasPrefix("f~1~edge~"), "\(held)")
        areKilled.withLock { $0 = true }
        isCut.withLock { $0 = false }
        _ = try await finish(stage, try stage.join(through: link, resumableFrom: 1))
        #expect(link.sent <= Self.size * 11 / 10)
    }

    @Test(arguments: [1, 1 << 30])
    func `a lost acknowledgement is asked for again, and nothing is sent twice`(resumableFrom: Int) async throws {
        let stage = try await Stage()
        let rules = BadLink.Rules(swallows: {
            $0.starts(with: Array("HTTP/1.1 201 ".utf8)) && $0.contains(Array("\"digest\"".utf8))
        })
        let link = try BadLink(to: stage.port, rules: rules)
        defer { link.stop() }
        let round = try await finish(stage, try stage.join(through: link, resumableFrom: resumableFrom))
        #expect(round.received == 1 && link.cuts == 1)
        #expect(link.sent <= Self.size * 11 / 10)
    }
}
