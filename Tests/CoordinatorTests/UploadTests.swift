import Crypto
import Federation
import Foundation
import SQLiteStore
import Synchronization
import Testing

@testable import Coordinator

/// How long unfinished uploads live, how many there may be, and who may work on one.
@Suite struct UploadTests {
    private let server: TestServer
    private let key: UploadKey
    private let other: UploadKey

    init() async throws {
        var limits = UploadService.Limits()
        limits.bytesInFlight = 10_000
        limits.lifetimeSeconds = 100
        (server, key, other) = try await Self.start(limits)
    }

    private static func start(
        _ limits: UploadService.Limits = .init(),
        wrapping wrap: (inout Stores, SQLiteStore) -> Void = { _, _ in }
    ) async throws -> (TestServer, UploadKey, UploadKey) {
        let server = try await TestServer(uploadLimits: limits, wrapping: wrap)
        let federation = try await server.federation()
        let clients = [
            try await server.register("edge", rank: 2, in: federation),
            try await server.register("other", rank: 4, in: federation),
        ]
        let keys = clients.map { UploadKey(federation: federation, round: 1, client: $0) }
        return (server, keys[0], keys[1])
    }

    private func claim(_ key: UploadKey) -> UpdateService.Claim {
        UpdateService.Claim(
            federation: key.federation, round: key.round, client: key.client, samples: 10, metrics: Metrics(loss: 0.5),
            digest: nil)
    }

    private func digest(_ bytes: [UInt8]) throws -> ContentDigest {
        try #require(ContentDigest(bytes: Array(SHA256.hash(data: bytes))))
    }

    private func part(
        _ key: UploadKey, at offset: Int, _ bytes: [UInt8], length: Int? = nil, last: Bool = false,
        digest: ContentDigest? = nil
    ) -> UploadService.Part {
        UploadService.Part(
            key: key, offset: offset, length: length, contentLength: bytes.count, contentDigest: digest,
            completion: last ? .update(claim(key)) : nil)
    }

    private func begin(
        _ part: UploadService.Part, on server: TestServer, stop: @escaping @Sendable () -> Void = {}
    ) async throws -> UploadService.Ticket {
        guard case .append(let ticket) = try await server.services.uploads.begin(part, stop: stop) else {
            throw CancellationError()
        }
        return ticket
    }

    private func write(_ bytes: [UInt8], at offset: Int, to ticket: UploadService.Ticket) throws {
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: ticket.file.path))
        try file.seek(toOffset: UInt64(offset))
        try file.write(contentsOf: bytes)
        try file.close()
    }

    /// Appends as a handler would.
    private func append(
        _ key: UploadKey, at offset: Int, _ bytes: [UInt8], length: Int? = nil, last: Bool = false,
        on server: TestServer? = nil
    ) async throws -> UploadService.Ending {
        let server = server ?? self.server
        let ticket = try await begin(part(key, at: offset, bytes, length: length, last: last), on: server)
        try write(bytes, at: offset, to: ticket)
        return try await server.services.uploads.end(
            ticket, fileLength: offset + bytes.count, digest: try digest(bytes))
    }

    private func files(of server: TestServer) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: server.folder.path + "/data/uploads").sorted()
    }

    @Test func `an upload expires after its last byte, not after its first`() async throws {
        _ = try await append(key, at: 0, [1, 2, 3])
        server.clock.advance(seconds: 60)
        #expect(try await server.services.uploads.status(of: key).secondsLeft == 40)
        _ = try await append(key, at: 3, [4])
        server.clock.advance(seconds: 60)
        await server.services.tick()
        #expect(try await server.services.uploads.status(of: key).offset == 4)
        server.clock.advance(seconds: 40)
        await server.services.tick()
        #expect(try await server.services.uploads.status(of: key).offset == 0)
        #expect(try files(of: server).isEmpty)
    }

    @Test func `the unfinished uploads of a federation take no more bytes than they may`() async throws {
        let limit = try await server.services.uploads.status(of: key).byteLimit
        _ = try await append(other, at: 0, [1], length: 9_000)
        await #expect(throws: ServiceError.upload(.tooManyBytes(limit: 10_000))) {
            try await append(key, at: 0, [1], length: 1_001)
        }
        // A length that is not told counts as the longest.
        #expect(limit > 1_000)
        await #expect(throws: ServiceError.upload(.tooManyBytes(limit: 10_000))) { try await append(key, at: 0, [1]) }
        _ = try await append(key, at: 0, [1], length: 1_000)
        try await server.services.uploads.cancel(other)
        _ = try await append(key, at: 1, [1])
    }

    @Test func `a later call stops an earlier one and waits for what came of it`() async throws {
        let stops = AsyncStream.makeStream(of: Void.self)
        let server = server
        let first = try await begin(part(key, at: 0, [1, 2, 3], length: 9), on: server) { stops.continuation.yield() }
        let key = key
        let asked = Task { try await server.services.uploads.status(of: key).offset }
        for await _ in stops.stream { break }
        try write([1, 2], at: 0, to: first)
        try await server.services.uploads.breakOff(first, fileLength: 2)
        #expect(try await asked.value == 2)
        _ = try await append(key, at: 2, [3])
    }

    @Test func `a round that goes on without the client drops its upload, also one that is arriving`() async throws {
        _ = try await append(other, at: 0, [1], length: 9)
        let stops = AsyncStream.makeStream(of: Void.self)
        let arriving = try await begin(part(key, at: 0, [1, 2], length: 9), on: server) { stops.continuation.yield() }
        for client in [key.client, other.client] {
            try await server.services.enrolment.revoke(client, in: key.federation)
        }
        await server.services.tick()
        for await _ in stops.stream { break }
        await #expect(throws: ServiceError.revoked(key.client)) {
            try await server.services.uploads.breakOff(arriving, fileLength: 1)
        }
        await server.services.tick()
        #expect(try files(of: server).isEmpty)
    }

    @Test func `an update that is sent again from its start may arrive, and is acknowledged again`() async throws {
        let file = try adapterFile(rank: 2, value: 1)
        _ = try await append(key, at: 0, file, last: true)
        let stopped = Mutex(false)
        let again = try await begin(part(key, at: 0, file, last: true), on: server) { stopped.withLock { $0 = true } }
        await server.services.tick()
        #expect(!stopped.withLock { $0 })
        try write(file, at: 0, to: again)
        let ending = try await server.services.uploads.end(again, fileLength: file.count, digest: try digest(file))
        guard case .complete(.update(let receipt)) = ending else {
            Issue.record("it is not complete")
            return
        }
        #expect(!receipt.isNew)
        #expect(try files(of: server).isEmpty)
    }

    @Test func `an upload for a round that is not open is refused`() async throws {
        let late = UploadKey(federation: key.federation, round: 2, client: key.client)
        let expected = ServiceError.round(.unknown(round: 2, current: 1))
        await #expect(throws: expected) { try await server.services.uploads.status(of: late) }
        await #expect(throws: expected) { try await append(late, at: 0, [1]) }
        #expect(try files(of: server).isEmpty)
    }

    @Test func `what the store does not take can be completed again without a byte`() async throws {
        let gate = Mutex<GatedStore?>(nil)
        let (server, key, _) = try await Self.start { stores, store in
            let gated = GatedStore(store)
            gate.withLock { $0 = gated }
            stores.metadata = gated
            stores.adapters = gated
        }
        let gated = try #require(gate.withLock { $0 })
        let file = try adapterFile(rank: 2, value: 1)
        gated.set(.failing(.full))
        await #expect(throws: ServiceError.store(.full)) {
            try await append(key, at: 0, file, last: true, on: server)
        }
        #expect(try await server.services.uploads.status(of: key).offset == file.count)
        gated.set(.open)
        guard case .complete(.update(let receipt)) = try await append(key, at: file.count, [], last: true, on: server)
        else {
            Issue.record("it is not complete")
            return
        }
        let expected = try digest(file)
        #expect(receipt.isNew && receipt.update.digest == expected)
        #expect(try files(of: server).isEmpty)
    }

    @Test func `an upload that grows beyond its length is given up`() async throws {
        let ticket = try await begin(part(key, at: 0, [], length: 5), on: server)
        #expect(ticket.byteLimit == 5)
        let error = await server.services.uploads.overflow(ticket)
        #expect(error == .upload(.inconsistentLength(known: 5, found: 6)))
        #expect(try files(of: server).isEmpty)
    }

    /// A server that goes on with what an earlier one left. Files have the time of the machine, and tests a clock of
    /// their own: nothing is to expire by the difference.
    private static func restart(_ server: TestServer) async throws -> TestServer {
        var limits = UploadService.Limits()
        limits.lifetimeSeconds = 1e12
        return try await TestServer(folder: server.folder, uploadLimits: limits)
    }

    /// A server whose cutting and beginning of files a test can make fail.
    private static func startGated(
        _ limits: UploadService.Limits = .init()
    ) async throws -> (TestServer, GatedPartials, UploadKey, UploadKey) {
        let gate = Mutex<GatedPartials?>(nil)
        let (server, key, other) = try await start(
            limits,
            wrapping: { stores, store in
                let gated = GatedPartials(store)
                gate.withLock { $0 = gated }
                stores.uploads = gated
            })
        return (server, try #require(gate.withLock { $0 }), key, other)
    }

    @Test func `uploads that begin at the same time count against each other`() async throws {
        var limits = UploadService.Limits()
        limits.bytesInFlight = 1_500
        let (server, gated, key, other) = try await Self.startGated(limits)
        gated.holdBeginnings()
        let part = part(key, at: 0, [1], length: 1_000)
        let first = Task { try await server.services.uploads.begin(part, stop: {}) }
        await gated.beginningArrives()
        await #expect(throws: ServiceError.upload(.tooManyBytes(limit: 1_500))) {
            try await append(other, at: 0, [1], length: 1_000, on: server)
        }
        gated.letBegin()
        guard case .append(let ticket) = try await first.value else {
            Issue.record("it is not admitted")
            return
        }
        try await server.services.uploads.breakOff(ticket, fileLength: 0)
        _ = try await append(other, at: 0, [1], length: 500, on: server)
    }

    @Test func `a damaged part that cannot be cut away does not count, nor after a restart`() async throws {
        let (server, gated, key, _) = try await Self.startGated()
        let file = try adapterFile(rank: 2, value: 1)
        _ = try await append(key, at: 0, Array(file[..<100]), on: server)
        gated.failToCut()
        let damaged = [UInt8](repeating: 9, count: 50)
        let (expected, found) = (try digest(Array(file[100..<150])), try digest(damaged))
        let ticket = try await begin(part(key, at: 100, damaged, digest: expected), on: server)
        try write(damaged, at: 100, to: ticket)
        await #expect(throws: ServiceError.upload(.damaged(expected: expected, found: found, offset: 100))) {
            try await server.services.uploads.end(ticket, fileLength: 150, digest: found)
        }
        #expect(try await server.services.uploads.status(of: key).offset == 100)
        // It is still in the file.
        let name = try #require(try files(of: server).first)
        let kept = try #require(FileManager.default.contents(atPath: server.folder.path + "/data/uploads/" + name))
        #expect(kept.count == 150)
        try server.close()
        let again = try await Self.restart(server)
        #expect(try await again.services.uploads.status(of: key).offset == 100)
        let rest = Array(file[100...])
        guard case .complete(.update(let receipt)) = try await append(key, at: 100, rest, last: true, on: again) else {
            Issue.record("it is not complete")
            return
        }
        let whole = try digest(file)
        #expect(receipt.isNew && receipt.update.digest == whole)
        #expect(try files(of: again).isEmpty)
    }

    @Test func `a part with a digest counts after a crash only once it was checked`() async throws {
        let file = try adapterFile(rank: 2, value: 1)
        let (bytes, rest) = (Array(file[..<100]), Array(file[100...]))
        let first = try digest(bytes)
        let ticket = try await begin(part(key, at: 0, bytes, digest: first), on: server)
        try write(bytes, at: 0, to: ticket)
        // Nobody ends it: the server is gone.
        try server.close()
        let second = try await Self.restart(server)
        #expect(try await second.services.uploads.status(of: key).offset == 0)
        let again = try await begin(part(key, at: 0, bytes, digest: first), on: second)
        try write(bytes, at: 0, to: again)
        _ = try await second.services.uploads.end(again, fileLength: 100, digest: first)
        try second.close()
        let third = try await Self.restart(server)
        #expect(try await third.services.uploads.status(of: key).offset == 100)
        guard case .complete = try await append(key, at: 100, rest, last: true, on: third) else {
            Issue.record("it is not complete")
            return
        }
    }

    @Test func `an upload whose bytes the disk failed to take, and which cannot be cut back, begins anew`() async throws
    {
        let (server, gated, key, _) = try await Self.startGated()
        _ = try await append(key, at: 0, [1, 2, 3], length: 9, on: server)
        gated.failToCut()
        let ticket = try await begin(part(key, at: 3, [4, 5], length: 9), on: server)
        try write([4, 5], at: 3, to: ticket)
        // So ends a body whose file could not be synced.
        try await server.services.uploads.breakOff(ticket, fileLength: 3)
        #expect(try await server.services.uploads.status(of: key).offset == 0)
        try server.close()
        let again = try await Self.restart(server)
        #expect(try await again.services.uploads.status(of: key).offset == 0)
        #expect(try files(of: again).isEmpty)
    }
}

extension UploadKey {
    fileprivate var round: Int { if case .update(let round, _) = subject { round } else { 0 } }

    fileprivate var client: ClientName {
        guard case .update(_, let client) = subject else { preconditionFailure("not an update's key") }
        return client
    }
}
