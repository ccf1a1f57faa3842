import ClientAgent
import Crypto
import Foundation
import HTTPFetching
import RankwiseWire
import Synchronization
import TestStage
import Testing
import Training

/// How the agent sends updates in parts, against a stub of the server that scripts what goes wrong.
@Suite struct UploadTests {
    private let fixture: AgentFixture
    private static let path = "/v1/federations/digits/rounds/1/update"
    /// What the trainer makes of round 0's adapter.
    private let update = StubCoordinator.adapter(ofRound: "0") + Array(" trained 1".utf8)

    /// What the stub holds of an upload.
    private final class Upload: Sendable {
        let bytes = Mutex<[UInt8]>([])
        /// Method and `Upload-Offset` of each request.
        let log = Mutex<[String]>([])
    }

    init() throws { fixture = try AgentFixture() }

    /// Takes uploads as a server does, after `interfere` has had its way.
    private func serve(
        _ upload: Upload,
        _ interfere: @escaping @Sendable (PeerRequest, _ number: Int) -> StubCoordinator.Answer? = { _, _ in nil }
    ) {
        fixture.script { request, state in
            guard request.path.hasPrefix(Self.path) else { return nil }
            let number = upload.log.withLock { log in
                log.append(
                    [request.method, request.fields["upload-offset"]].compactMap { $0 }.joined(separator: " ")
                        + (request.path.hasSuffix("/upload") ? "" : " whole"))
                return log.count
            }
            if let answer = interfere(request, number) { return answer }
            guard request.path.hasSuffix("/upload") else { return nil }
            let held = upload.bytes.withLock { $0.count }
            switch request.method {
            case "HEAD":
                return .init(status: 204, fields: ["Upload-Offset: \(held)", "Upload-Complete: ?0"])
            case "DELETE":
                upload.bytes.withLock { $0 = [] }
                return .init(status: 204)
            default:
                guard request.fields["upload-offset"] == "\(held)" else { return .problem(409, "upload.offset") }
                upload.bytes.withLock { $0 += request.body }
                state.publish()
                return .receipt(for: upload.bytes.withLock { $0 })
            }
        }
    }

    private func run(resumableFrom: Int64 = 1, persistence: Duration = .seconds(3600)) async throws {
        let agent = try fixture.agent(rounds: 1, persistence: persistence, resumableFrom: resumableFrom)
        #expect(try await agent.run() == .trained(rounds: 1))
    }

    @Test func `a fresh update goes in one request, with its length and digest`() async throws {
        let upload = Upload()
        let fields = Mutex<[String: String]>([:])
        serve(upload) { request, _ in
            fields.withLock { $0 = request.fields }
            return nil
        }
        try await run()
        #expect(upload.bytes.withLock { $0 } == update)
        #expect(upload.log.withLock { $0 } == ["PATCH 0"])
        let sent = fields.withLock { $0 }
        #expect(sent["upload-complete"] == "?1" && sent["upload-length"] == "\(update.count)")
        #expect(sent["content-type"] == "application/partial-upload")
        #expect(sent["repr-digest"] == "sha-256=:\(Data(SHA256.hash(data: update)).base64EncodedString()):")
    }

    @Test func `an update below the threshold is put, with its digest`() async throws {
        let digest = Mutex<String?>(nil)
        serve(Upload()) { request, _ in
            digest.withLock { $0 = request.fields["content-digest"] }
            return nil
        }
        try await run(resumableFrom: Int64(update.count) + 1)
        #expect(digest.withLock { $0 } == "sha-256=:\(Data(SHA256.hash(data: update)).base64EncodedString()):")
        #expect(fixture.stub.state.withLock { $0.uploads.map(\.bytes) } == [update])
    }

    @Test func `after a break the server is asked, and the rest sent`() async throws {
        let upload = Upload()
        serve(upload) { request, number in
            guard number == 1 else { return nil }
            upload.bytes.withLock { $0 = Array(request.body.prefix(7)) }
            return .silence
        }
        try await run()
        #expect(upload.bytes.withLock { $0 } == update)
        #expect(upload.log.withLock { $0 } == ["PATCH 0", "HEAD", "PATCH 7"])
    }

    @Test func `a start that finds an unsent update asks first`() async throws {
        let upload = Upload()
        serve(upload) { request, _ in
            guard request.method == "PATCH" else { return .silence }
            upload.bytes.withLock { $0 = Array(request.body.prefix(9)) }
            return .silence
        }
        await #expect(throws: AgentError.self) {
            try await fixture.agent(rounds: 1, persistence: .seconds(3), resumableFrom: 1).run()
        }
        upload.log.withLock { $0 = [] }
        serve(upload)
        try await run()
        #expect(upload.bytes.withLock { $0 } == update)
        #expect(upload.log.withLock { $0 } == ["HEAD", "PATCH 9"])
        #expect(fixture.trainer.rounds.withLock { $0 } == [1])
    }

    @Test func `waits begin anew when the server got further`() async throws {
        let upload = Upload()
        serve(upload) { request, _ in
            guard request.method == "PATCH", upload.bytes.withLock({ $0.count }) < 40 else { return nil }
            upload.bytes.withLock { $0 += request.body.prefix(2) }
            return .silence
        }
        try await run()
        let sleeps = fixture.clock.sleeps.withLock { $0 }
        #expect(sleeps.count == 20)
        #expect(sleeps.allSatisfy { $0 <= .seconds(1) })
    }

    @Test(arguments: [404, 405])
    func `a server without resumable uploads gets the update whole`(status: Int) async throws {
        serve(Upload()) { request, _ in
            request.path.hasSuffix("/upload") ? .problem(status, "path.unknown") : nil
        }
        try await run()
        #expect(fixture.stub.state.withLock { $0.uploads.map(\.bytes) } == [update])
    }

    @Test func `a lost acknowledgement is asked for again`() async throws {
        let upload = Upload()
        let receipt = StubCoordinator.Answer.receipt(for: update)
        serve(upload) { request, number in
            switch (number, request.method) {
            case (1, _): .silence
            case (_, "HEAD"): .init(status: 204, fields: ["Upload-Offset: 1", "Upload-Complete: ?1"])
            case (_, "GET"): receipt
            default: nil
            }
        }
        let agent = try fixture.agent(rounds: 1, resumableFrom: 1)
        #expect(try await agent.run() == .trained(rounds: 1))
        #expect(upload.log.withLock { $0 } == ["PATCH 0", "HEAD", "GET whole"])
    }

    @Test func `a lost acknowledgement of a plain update is asked for again, and only then is it sent again`()
        async throws
    {
        let receipt = StubCoordinator.Answer.receipt(for: update)
        for (isHeld, requests) in [
            (true, ["PUT whole", "GET whole"]), (false, ["PUT whole", "GET whole", "PUT whole"]),
        ] {
            let upload = Upload()
            fixture.stub.state.withLock { $0.round = 1 }
            try? FileManager.default.removeItem(atPath: fixture.statePath)
            serve(upload) { request, number in
                switch (number, request.method) {
                case (1, _): .silence
                case (_, "GET"): isHeld ? receipt : .problem(404, "update.none")
                default: isHeld ? nil : .receipt(for: request.body)
                }
            }
            _ = try await fixture.agent(rounds: 1, client: "edge-\(isHeld)").run()
            #expect(upload.log.withLock { $0 } == requests)
        }
    }

    @Test func `another update of this client on the server ends the round`() async throws {
        let upload = Upload()
        let other = StubCoordinator.Answer.receipt(for: [1])
        serve(upload) { request, number in
            switch (number, request.method) {
            case (1, _): .silence
            case (_, "HEAD"): .init(status: 204, fields: ["Upload-Offset: 1", "Upload-Complete: ?1"])
            default: other
            }
        }
        let missed = Mutex(false)
        let agent = try fixture.agent(rounds: 1, resumableFrom: 1) { event in
            if case .missed = event { missed.withLock { $0 = true } }
        }
        #expect(try await agent.run() == .trained(rounds: 1))
        #expect(missed.withLock { $0 })
    }

    @Test func `bytes that the server has of an older training are dropped`() async throws {
        let upload = Upload()
        upload.bytes.withLock { $0 = Array("of another training".utf8) }
        serve(upload)
        try await run()
        #expect(upload.bytes.withLock { $0 } == update)
        #expect(upload.log.withLock { $0 } == ["PATCH 0", "DELETE", "HEAD", "PATCH 0"])
    }

    @Test func `an update that came damaged is sent once more from its start, and no more often`() async throws {
        let upload = Upload()
        serve(upload) { request, _ in request.method == "PATCH" ? .problem(400, "update.digest") : nil }
        let refused = Mutex<[String]>([])
        let agent = try fixture.agent(rounds: 1, resumableFrom: 1) { event in
            guard case .refused(_, let problem) = event else { return }
            refused.withLock { $0.append(problem.code) }
            withUnsafeCurrentTask { $0?.cancel() }
        }
        let run = Task { try await agent.run() }
        await #expect(throws: AgentError.cancelled) { try await run.value }
        #expect(upload.log.withLock { $0 } == ["PATCH 0", "DELETE", "HEAD", "PATCH 0"])
        #expect(refused.withLock { $0 } == ["update.digest"])
    }

    @Test func `progress counts what went before`() async throws {
        let upload = Upload()
        upload.bytes.withLock { $0 = Array(update.prefix(5)) }
        serve(upload) { _, number in number == 1 ? .silence : nil }
        let progress = Mutex<[FetchProgress]>([])
        let agent = try fixture.agent(rounds: 1, resumableFrom: 1) { event in
            if case .uploading(_, let counts) = event { progress.withLock { $0.append(counts) } }
        }
        _ = try await agent.run()
        let last = try #require(progress.withLock { $0.last })
        #expect(last.sent == Int64(update.count) && last.toSend == Int64(update.count))
    }

    @Test func `a page in place of an answer to a part is asked about, and the rest sent`() async throws {
        let upload = Upload()
        serve(upload) { request, number in
            guard number <= 2 else { return nil }
            if number == 1 { upload.bytes.withLock { $0 = Array(request.body.prefix(7)) } }
            return .init(status: 404, body: Array("<html>default backend</html>".utf8))
        }
        try await run()
        #expect(upload.bytes.withLock { $0 } == update)
        #expect(upload.log.withLock { $0 } == ["PATCH 0", "HEAD", "HEAD", "PATCH 7"])
    }

    @Test(arguments: [405, 501])
    func `where something on the way lets no PATCH through the update goes whole`(status: Int) async throws {
        serve(Upload()) { request, _ in request.method == "PATCH" ? .init(status: status) : nil }
        try await run()
        #expect(fixture.stub.state.withLock { $0.uploads.map(\.bytes) } == [update])
    }

    @Test(arguments: [Int64(1), 1 << 20])
    func `a receipt for other bytes is not taken`(resumableFrom: Int64) async throws {
        let upload = Upload()
        serve(upload) { request, number in
            if number == 1 { return .receipt(for: [1]) }
            // To the question of what it holds the server says nothing.
            return request.method == "GET" ? .problem(404, "update.none") : nil
        }
        try await run(resumableFrom: resumableFrom)
        let log = upload.log.withLock { $0 }
        #expect(
            log == (resumableFrom == 1 ? ["PATCH 0", "HEAD", "PATCH 0"] : ["PUT whole", "GET whole", "PUT whole"]))
    }

    @Test func `bytes of an older training are dropped at last, though a proxy pretends it at first`() async throws {
        let upload = Upload()
        upload.bytes.withLock { $0 = Array("of another training".utf8) }
        serve(upload) { request, number in request.method == "DELETE" && number == 2 ? .init(status: 204) : nil }
        try await run()
        #expect(upload.bytes.withLock { $0 } == update)
        #expect(upload.log.withLock { $0 } == ["PATCH 0", "DELETE", "HEAD", "DELETE", "HEAD", "PATCH 0"])
    }
}
