import HTTPServing
import MemoryObjects
import TestCertificates
import TestStage
import Testing

@testable import ObjectStorage

/// What a call does when the store does wrong.
@Suite(.ownThread) struct FaultTests {
    private let folder: TemporaryFolder
    private let store: MemoryStore
    private var bucket: ObjectBucket { store.bucket }
    private var server: ObjectServer { store.server }

    init() throws {
        folder = try TemporaryFolder()
        store = try MemoryStore()
    }

    @Test(arguments: [500, 502, 503, 504, 429])
    func `an overloaded store is asked again after growing pauses`(status: Int) async throws {
        let fault = ObjectFault.answer(status: status, code: "SlowDown")
        server.fail(fault, fault, fault)
        try await bucket.put("x", [1])
        #expect(server.seen.count == 4)
        #expect(store.pauses.all == [.milliseconds(75), .milliseconds(150), .milliseconds(300)])
        #expect(try await bucket.get("x", upTo: 1) == [1])
    }

    @Test func `a store says how long to wait`() async throws {
        server.fail(.answer(status: 503, code: "SlowDown", retryAfter: 3))
        try await bucket.put("x", [1])
        #expect(store.pauses.all == [.seconds(3)])
    }

    @Test func `a wait beyond the patience is not waited for`() async throws {
        server.fail(.answer(status: 503, code: "SlowDown", retryAfter: 60))
        await #expect(throws: ObjectError.unavailable(reason: "it answered 503 SlowDown", retryAfter: 60)) {
            try await bucket.put("x", [1])
        }
        #expect(server.seen.count == 1)
        #expect(store.pauses.all == [])
    }

    @Test func `tries are counted`() async throws {
        for _ in 0..<9 { server.fail(.answer(status: 500, code: "InternalError")) }
        await #expect(throws: ObjectError.unavailable(reason: "it answered 500 InternalError", retryAfter: nil)) {
            try await bucket.put("x", [1], patience: ObjectPatience(tries: 3))
        }
        #expect(server.seen.count == 3)
    }

    @Test func `a refusal is not asked for again`() async throws {
        server.fail(.answer(status: 403, code: "AccessDenied"))
        await #expect(
            throws: ObjectError.refused(status: 403, code: "AccessDenied", message: "A fault was set.")
        ) { try await bucket.put("x", [1]) }
        #expect(server.seen.count == 1)
    }

    @Test func `a put whose answer is lost is put again`() async throws {
        let bytes = pattern(2_000_000)
        let source = try folder.write("source", bytes)
        server.fail(.loseAnswer)
        try await bucket.put("x", file: source, byteCount: bytes.count, sha256: digest(bytes))
        #expect(server.seen.count >= 2)
        #expect(try await bucket.get("x", upTo: bytes.count) == bytes)
    }

    @Test func `an answer that is cut is asked for again, into the same file`() async throws {
        let bytes = pattern(1_000_000)
        try await bucket.put("x", bytes)
        server.fail(.cut(after: 400_000), .cut(after: 0))
        try await bucket.get("x", to: folder.path("x"), expecting: bytes.count, sha256: digest(bytes))
        #expect(folder.bytes("x") == bytes)
        server.fail(.cut(after: 10))
        #expect(try await bucket.get("x", 0..<100) == Array(bytes[..<100]))
    }

    @Test func `an answer that is always cut leaves no file`() async throws {
        try await bucket.put("x", pattern(1000))
        for _ in 0..<9 { server.fail(.cut(after: 500)) }
        await #expect {
            try await bucket.get("x", to: folder.path("x"), expecting: 1000, sha256: nil)
        } throws: {
            if case .unavailable? = $0 as? ObjectError { true } else { false }
        }
        #expect(folder.names == [])
    }

    @Test func `bytes altered on their way are asked for once more`() async throws {
        let bytes = pattern(1000)
        try await bucket.put("x", bytes)
        server.fail(.alter)
        try await bucket.get("x", to: folder.path("x"), expecting: 1000, sha256: digest(bytes))
        #expect(folder.bytes("x") == bytes)
        #expect(server.seen.count == 3)
    }

    @Test func `an altered object is damaged, and the file that was there stays`() async throws {
        let bytes = pattern(1000)
        try await bucket.put("x", bytes)
        server.alter("test/x", in: "updates") { $0[7] ^= 1 }
        _ = try folder.write("x", [9])
        await expectDamage { try await bucket.get("x", to: folder.path("x"), expecting: 1000, sha256: digest(bytes)) }
        #expect(folder.names == ["x"])
        #expect(folder.bytes("x") == [9])
    }

    @Test(arguments: [999, 1001, 0])
    func `an object of another length is damaged`(length: Int) async throws {
        try await bucket.put("x", pattern(1000))
        await expectDamage { try await bucket.get("x", to: folder.path("x"), expecting: length, sha256: nil) }
        #expect(folder.names == [])
    }

    @Test func `an object longer than the limit is damaged`() async throws {
        try await bucket.put("x", pattern(1000))
        await expectDamage { _ = try await bucket.get("x", upTo: 999) }
        try await bucket.put("y", pattern(100_000))
        await expectDamage { _ = try await bucket.get("y", upTo: 99_999) }
    }

    @Test(arguments: [true, false]) func `many objects are deleted at once, until one fails`(blocks: Bool) async throws
    {
        let keys = (0..<50).map { "k\($0)" }
        func delete(_ keys: [String], patience: ObjectPatience? = nil) async throws {
            if blocks {
                try bucket.blocking.delete(keys, patience: patience)
            } else {
                try await bucket.delete(keys, patience: patience)
            }
        }
        for key in keys { try await bucket.put(key, [1]) }
        try await delete(keys + ["missing"])
        #expect(server.keys(in: "updates") == [])
        try await delete([])
        for key in keys { try await bucket.put(key, [1]) }
        server.fail(.answer(status: 403, code: "AccessDenied"))
        await #expect(throws: ObjectError.refused(status: 403, code: "AccessDenied", message: "A fault was set.")) {
            try await delete(keys)
        }
        #expect(!server.keys(in: "updates").isEmpty)
        try await delete(keys)
        #expect(server.keys(in: "updates") == [])
    }

    @Test func `the whole object is no range`() async throws {
        try await bucket.put("x", pattern(1000))
        server.fail(.ignoreRange, .ignoreRange)
        await expectDamage { _ = try await bucket.get("x", 0..<1000) }
    }

    @Test func `a file of another length is not sent`() async throws {
        let source = try folder.write("source", [1, 2, 3])
        await expectDamage { try await bucket.put("x", file: source, byteCount: 4, sha256: digest([1, 2, 3])) }
        #expect(server.seen == [])
        await #expect {
            try await bucket.put("x", file: folder.path("gone"), byteCount: 3, sha256: digest([1, 2, 3]))
        } throws: {
            if case .file? = $0 as? ObjectError { true } else { false }
        }
    }

    @Test func `a stalled store ends the call in time`() async throws {
        server.fail(.stall)
        let patience = ObjectPatience(retrying: .milliseconds(1), total: .milliseconds(300))
        await #expect {
            try await bucket.put("x", [1], patience: patience)
        } throws: {
            if case .unavailable? = $0 as? ObjectError { true } else { false }
        }
    }

    @Test func `an answer that stops to come ends the try in time`() async throws {
        let peer = try LoopbackPeer { connection in
            guard connection.request() != nil else { return }
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nhello")
            _ = connection.request()
        }
        defer { peer.stop() }
        let bucket = try bucket(at: peer.url)
        let patience = ObjectPatience(
            retrying: .milliseconds(1), total: .seconds(300), stall: .seconds(1), leastBytesPerSecond: 1000)
        await #expect {
            try await bucket.get("x", to: folder.path("x"), expecting: 100_000, sha256: nil, patience: patience)
        } throws: {
            if case .unavailable? = $0 as? ObjectError { true } else { false }
        }
        #expect(folder.names == [])
    }

    @Test func `no connection becomes free in time`() async throws {
        let store = try MemoryStore(configure: { $0.connections = 1 })
        store.server.fail(.stall)
        let bucket = store.bucket
        let stalled = Task(executorPreference: OwnThread()) { try await bucket.put("x", [1]) }
        while store.server.seen.isEmpty { await Task.yield() }
        await #expect(throws: ObjectError.unavailable(reason: "no connection became free in time", retryAfter: nil)) {
            try await bucket.put("y", [1], patience: ObjectPatience(total: .milliseconds(200)))
        }
        stalled.cancel()
        await #expect(throws: ObjectError.cancelled) { try await stalled.value }
        try await bucket.put("y", [1])
    }

    @Test func `cancelling ends a call that waits for a connection`() async throws {
        let store = try MemoryStore(configure: { $0.connections = 1 })
        store.server.fail(.stall)
        let bucket = store.bucket
        let stalled = Task(executorPreference: OwnThread()) { try await bucket.put("x", [1]) }
        while store.server.seen.isEmpty { await Task.yield() }
        let waiting = Task(executorPreference: OwnThread()) { try await bucket.put("y", [1]) }
        waiting.cancel()
        await #expect(throws: ObjectError.cancelled) { try await waiting.value }
        stalled.cancel()
        await #expect(throws: ObjectError.cancelled) { try await stalled.value }
    }

    @Test func `cancelling ends a pause`() async throws {
        let (began, beginning) = AsyncStream<Void>.makeStream()
        var clock = CallClock.system
        clock.pause = { _, cancellation in
            beginning.yield()
            cancellation.wait(.seconds(86_400))
        }
        var configuration = try ObjectBucket.Configuration(url: "s3://updates/test")
        configuration.endpoint = store.url
        configuration.credentials = .fixed(MemoryStore.credentials)
        let bucket = try ObjectBucket(configuration, clock: clock, logger: .silent)
        server.fail(.answer(status: 503, code: "SlowDown"))
        let call = Task(executorPreference: OwnThread()) { try await bucket.put("x", [1]) }
        for await _ in began { break }
        call.cancel()
        await #expect(throws: ObjectError.cancelled) { try await call.value }
        #expect(server.seen.count == 1)
    }

    @Test func `a store that nobody runs is unavailable`() async throws {
        let port = try ReservedPort()
        let bucket = try bucket(at: "http://127.0.0.1:\(port.number)")
        await #expect {
            try await bucket.probe()
        } throws: {
            if case .unavailable? = $0 as? ObjectError { true } else { false }
        }
        #expect(store.pauses.all.count == 1)
    }

    @Test func `a redirect is refused, and its page is not shown`() async throws {
        let peer = try LoopbackPeer { connection in
            while connection.request() != nil {
                connection.answer(
                    "307 Temporary Redirect", ["Location: http://127.0.0.1:9/"], body: Array("<html>go on".utf8))
            }
        }
        defer { peer.stop() }
        let bucket = try bucket(at: peer.url)
        await #expect(throws: ObjectError.refused(status: 307, code: "", message: "")) {
            try await bucket.get("x", upTo: 10)
        }
    }

    @Test(arguments: ["", "<html></html>", "<ListBucketResult></ListBucketResult>", "{}"])
    func `a list that is none is damage`(body: String) async throws {
        let peer = try LoopbackPeer { connection in
            while connection.request() != nil { connection.answer("200 OK", body: Array(body.utf8)) }
        }
        defer { peer.stop() }
        let bucket = try bucket(at: peer.url)
        await expectDamage { _ = try await bucket.list("") }
    }

    @Test func `TLS trusts the authority of the configuration alone`() async throws {
        let certificates = try Certificates()
        try certificates.makeServer()
        let tls = HTTPServer.TLS(
            certificate: certificates.certificate("server"), key: certificates.key("server"))
        for (authority, isTrusted) in [("ca", true), ("other-ca", false)] {
            let store = try MemoryStore(
                configure: { $0.authority = certificates.certificate(authority) }, serve: { $0.tls = tls })
            if isTrusted {
                try await store.bucket.put("x", pattern(2_000_000))
                #expect(try await store.bucket.get("x", upTo: 2_000_000) == pattern(2_000_000))
            } else {
                let error = await #expect(throws: ObjectError.self) { try await store.bucket.put("x", [1]) }
                guard case .untrusted(let reason)? = error else {
                    Issue.record("expected no trust, got \(String(describing: error))")
                    continue
                }
                #expect(reason.hasPrefix("https://127.0.0.1:"), "\(reason)")
                #expect(reason.contains("certificate"), "\(reason)")
                #expect(store.server.seen == [])
            }
        }
    }

    @Test func `a slow store is waited for`() async throws {
        server.fail(.delay(.milliseconds(50)))
        try await bucket.put("x", [1])
        #expect(server.seen.count == 1)
    }

    private func bucket(at url: String) throws -> ObjectBucket {
        var configuration = try ObjectBucket.Configuration(url: "s3://updates/test")
        configuration.endpoint = url
        configuration.credentials = .fixed(MemoryStore.credentials)
        return try ObjectBucket(configuration, clock: .recording(store.pauses), logger: .silent)
    }

    private func expectDamage(
        _ call: () async throws -> Void, sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        await #expect(sourceLocation: sourceLocation) {
            try await call()
        } throws: {
            if case .damaged? = $0 as? ObjectError { true } else { false }
        }
    }
}
