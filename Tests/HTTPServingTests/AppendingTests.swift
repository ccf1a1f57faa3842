import Crypto
import Foundation
import HTTPServing
import HTTPTypes
import Synchronization
import TestStage
import Testing

/// Bodies that go to the end of a file, and what is left of those that break off.
@Suite(.ownThread) struct AppendingTests {
    private let folder: TemporaryFolder
    private let results = AsyncStream.makeStream(of: AppendedBody.self)
    private let stops = AsyncStream.makeStream(of: RequestBody.self)

    init() throws { folder = try TemporaryFolder() }

    private func routes(_ router: inout Router) {
        let (path, results, stops) = (folder.file("upload"), results.continuation, stops.continuation)
        router.on(.patch, "/{offset}") { request in
            stops.yield(request.body)
            let offset = Int(request.parameters["offset"] ?? "") ?? 0
            let appended = await request.body.append(to: path, at: offset, upTo: 3_000_000)
            results.yield(appended)
            if let failure = appended.failure { throw failure }
            return .text("\(appended.fileLength)")
        }
    }

    private func write(_ bytes: [UInt8]) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: folder.file("upload")))
    }

    private var file: [UInt8] { FileManager.default.contents(atPath: folder.file("upload")).map(Array.init) ?? [] }

    private func result() async throws -> AppendedBody {
        for await result in results.stream { return result }
        throw CancellationError()
    }

    private func head(_ offset: Int, _ length: Int) -> String {
        "PATCH /\(offset) HTTP/1.1\r\nHost: h\r\nContent-Length: \(length)\r\n\r\n"
    }

    @Test(arguments: [0, 1, 1_000_003])
    func `a body continues a file and is hashed by itself`(offset: Int) async throws {
        let whole = pattern(2_000_000)
        try write(Array(whole[..<offset]))
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            try client.send(head(offset, whole.count - offset))
            try client.send(Array(whole[offset...]))
            #expect(try client.receiveAnswer().text == "2000000")
            let appended = try await result()
            #expect(appended.sha256 == Array(SHA256.hash(data: whole[offset...])))
            #expect(file == whole)
        }
    }

    @Test func `what the file held beyond the offset goes`() async throws {
        try write(Array("0123456789".utf8))
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            try client.send(head(3, 2) + "ab")
            #expect(try client.receiveAnswer().text == "5")
            #expect(file == Array("012ab".utf8))
        }
    }

    @Test(arguments: [(1, false), (700_000, false), (20_000, true)])
    func `what came of a body that broke off is in the file`(count: Int, resets: Bool) async throws {
        let whole = pattern(1_000_000)
        try write(Array("before".utf8))
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            try client.send(head(6, whole.count))
            try client.send(Array(whole[..<count]))
            // Without a handler that would read it, a broken connection is dropped with all it brought.
            for await _ in stops.stream { break }
            if resets { client.reset() } else { client.finishSending() }
            let appended = try await result()
            #expect(appended.failure == .peerGone)
            #expect(appended.fileLength == 6 + count)
            #expect(appended.sha256 == Array(SHA256.hash(data: whole[..<count])))
            #expect(file == Array("before".utf8) + whole[..<count])
        }
    }

    @Test func `somebody else can end a body, and its connection`() async throws {
        try write([])
        try await serving(routes: routes) { port in
            let client = try RawClient(port: port)
            try client.send(head(0, 100) + "0123456789")
            for await body in stops.stream {
                body.stop()
                break
            }
            #expect(try await result().failure == .stopped)
            #expect(try client.receiveAll().isEmpty)
        }
    }

    @Test func `a body beyond the limit, a gap and a missing file are failures`() async throws {
        try write(Array("abc".utf8))
        try await serving(routes: routes) { port in
            let chunked = "PATCH /3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            let long = try RawClient(port: port)
            try long.send(chunked + "2dc6c0\r\n")
            try? long.send(pattern(3_000_000) + Array("\r\n0\r\n\r\n".utf8))
            #expect(try await result().failure == .tooLong(limit: 2_999_997))
            #expect(file.count <= 3_000_000)
            try write(Array("abc".utf8))
            let gap = try RawClient(port: port)
            try gap.send(head(4, 1) + "x")
            #expect(try gap.receiveAnswer().status == 500)
            #expect(try await result().failure == .fileFailed(errno: EINVAL))
            #expect(file == Array("abc".utf8))
            try FileManager.default.removeItem(atPath: folder.file("upload"))
            let missing = try RawClient(port: port)
            try missing.send(head(0, 1) + "x")
            #expect(try missing.receiveAnswer().status == 500)
            #expect(try await result().failure == .fileFailed(errno: ENOENT))
        }
    }
}
