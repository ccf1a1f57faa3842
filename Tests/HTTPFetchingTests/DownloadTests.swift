import HTTPFetching
import Synchronization
import TestStage
import Testing

/// Downloads into files: written beside, resumed, renamed.
struct DownloadTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private var target: FetchRequest.Destination { .file(path: folder.path("adapter"), limit: 1000) }

    /// Serves one scripted answer a request, and keeps the requests.
    private final class Script: Sendable {
        let requests = Mutex<[PeerRequest]>([])
        let answers: [String]

        init(_ answers: [String]) { self.answers = answers }

        func serve(_ connection: PeerConnection) {
            guard let request = connection.request() else { return }
            let number = requests.withLock { requests in
                requests.append(request)
                return requests.count - 1
            }
            if number < answers.count { connection.send(answers[number]) }
        }
    }

    private func fetch(_ peer: LoopbackPeer, _ fetcher: HTTPFetcher) async throws -> FetchResponse {
        try await fetcher.fetch(FetchRequest(.get, peer.url, destination: target))
    }

    private let cutOff = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"one\"\r\n\r\n01234"

    @Test func `a download stands under its name alone once complete`() async throws {
        let script = Script(["HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"one\"\r\n\r\n0123456789"])
        let peer = try LoopbackPeer(serve: script.serve)
        defer { peer.stop() }
        let response = try await fetch(peer, HTTPFetcher())
        #expect(response.savedBytes == 10)
        #expect(response.body == [])
        #expect(folder.bytes("adapter") == Array("0123456789".utf8))
        #expect(folder.names == ["adapter"])
    }

    @Test func `an empty download is an empty file`() async throws {
        let script = Script(["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"])
        let peer = try LoopbackPeer(serve: script.serve)
        defer { peer.stop() }
        #expect(try await fetch(peer, HTTPFetcher()).savedBytes == 0)
        #expect(folder.bytes("adapter") == [])
    }

    @Test func `lengths beyond all numbers are counted with care`() async throws {
        let script = Script([
            cutOff,
            "HTTP/1.1 206 Partial\r\nContent-Length: \(Int64.max)\r\nETag: \"one\"\r\nContent-Range: bytes 5-9/10\r\n\r\n5",
        ])
        let peer = try LoopbackPeer(serve: script.serve)
        defer { peer.stop() }
        let fetcher = try HTTPFetcher()
        for _ in 0..<2 {
            await #expect(throws: FetchError.self) {
                try await fetcher.fetch(FetchRequest(.get, peer.url, destination: target, progress: { _ in }))
            }
        }
        #expect(script.requests.withLock { $0.count } == 2)
    }

    @Test func `a download that broke off goes on where it stopped`() async throws {
        let script = Script([
            cutOff,
            "HTTP/1.1 206 Partial\r\nContent-Length: 5\r\nETag: \"one\"\r\nContent-Range: bytes 5-9/10\r\n\r\n56789",
        ])
        let peer = try LoopbackPeer(serve: script.serve)
        defer { peer.stop() }
        await #expect(throws: FetchError.self) { try await fetch(peer, HTTPFetcher()) }
        #expect(folder.names == ["adapter.part", "adapter.part.etag"])
        let progress = Mutex<FetchProgress?>(nil)
        let response = try await HTTPFetcher().fetch(
            FetchRequest(.get, peer.url, destination: target) { counts in progress.withLock { $0 = counts } })
        #expect(response.savedBytes == 10)
        #expect(folder.bytes("adapter") == Array("0123456789".utf8))
        #expect(folder.names == ["adapter"])
        let request = try #require(script.requests.withLock { $0.last })
        #expect(request.fields["range"] == "bytes=5-")
        #expect(request.fields["if-range"] == "\"one\"")
        #expect(progress.withLock { $0?.received } == 10)
        #expect(progress.withLock { $0?.toReceive } == 10)
    }

    @Test func `a download whose ETag changed starts anew`() async throws {
        let script = Script([cutOff, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nETag: \"two\"\r\n\r\nnew"])
        let peer = try LoopbackPeer(serve: script.serve)
        defer { peer.stop() }
        await #expect(throws: FetchError.self) { try await fetch(peer, HTTPFetcher()) }
        _ = try await fetch(peer, HTTPFetcher())
        #expect(folder.bytes("adapter") == Array("new".utf8))
        #expect(folder.names == ["adapter"])
    }

    @Test func `a part that the server cannot continue is fetched whole`() async throws {
        let script = Script([
            cutOff, "HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew",
        ])
        let peer = try LoopbackPeer(serve: script.serve)
        defer { peer.stop() }
        await #expect(throws: FetchError.self) { try await fetch(peer, HTTPFetcher()) }
        #expect(try await fetch(peer, HTTPFetcher()).status == 200)
        #expect(folder.bytes("adapter") == Array("new".utf8))
        #expect(script.requests.withLock { $0.map { $0.fields["range"] } } == [nil, "bytes=5-", nil])
    }

    @Test(arguments: [
        "Content-Range: bytes 4-9/10", "Content-Range: bytes 5-9/*", "Content-Range: bytes 5-20/10",
        "Content-Range: bytes -5--1/10", "Content-Range: 5", "X-None: 1",
        "Content-Range: bytes 5-9/10\r\nETag: \"two\"", "Content-Range: bytes 9223372036854775808-9/10",
    ])
    func `a part that does not fit is refused and forgotten`(fields: String) async throws {
        let script = Script([cutOff, "HTTP/1.1 206 Partial\r\nContent-Length: 5\r\n\(fields)\r\n\r\n56789"])
        let peer = try LoopbackPeer(serve: script.serve)
        defer { peer.stop() }
        await #expect(throws: FetchError.self) { try await fetch(peer, HTTPFetcher()) }
        await #expect(throws: FetchError.self) { try await fetch(peer, HTTPFetcher()) }
        #expect(folder.names == [])
    }

    @Test func `a part that nobody asked for is refused`() async throws {
        let script = Script(["HTTP/1.1 206 Partial\r\nContent-Length: 2\r\nContent-Range: bytes 0-1/10\r\n\r\n01"])
        let peer = try LoopbackPeer(serve: script.serve)
        defer { peer.stop() }
        await #expect(throws: FetchError.self) { try await fetch(peer, HTTPFetcher()) }
        #expect(folder.names == [])
    }

    @Test(arguments: ["", "ETag: W/\"weak\"\r\n"])
    func `without a strong ETag nothing of a broken download stays`(etag: String) async throws {
        let script = Script(["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\(etag)\r\n01234"])
        let peer = try LoopbackPeer(serve: script.serve)
        defer { peer.stop() }
        await #expect(throws: FetchError.self) { try await fetch(peer, HTTPFetcher()) }
        #expect(folder.names == [])
    }

    @Test(arguments: [
        "Content-Length: 1001\r\n\r\n0",
        "Transfer-Encoding: chunked\r\n\r\n3e9\r\n\(String(repeating: "0", count: 1001))\r\n0\r\n\r\n",
    ])
    func `a download over its limit is refused`(answer: String) async throws {
        let script = Script(["HTTP/1.1 200 OK\r\n\(answer)"])
        let peer = try LoopbackPeer(serve: script.serve)
        defer { peer.stop() }
        await #expect(throws: FetchError.tooLarge(limit: 1000)) { try await fetch(peer, HTTPFetcher()) }
        #expect(folder.names == [])
    }

    @Test func `a refusal is read into memory and leaves the file alone`() async throws {
        _ = try folder.write("adapter", [1])
        let script = Script(["HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone"])
        let peer = try LoopbackPeer(serve: script.serve)
        defer { peer.stop() }
        let response = try await fetch(peer, HTTPFetcher())
        #expect(response.status == 404)
        #expect(response.body == Array("gone".utf8))
        #expect(folder.bytes("adapter") == [1])
    }

    @Test func `a folder that is not there is an error of that file`() async throws {
        let script = Script(["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"])
        let peer = try LoopbackPeer(serve: script.serve)
        defer { peer.stop() }
        let path = folder.path("missing/adapter")
        await #expect(throws: FetchError.file(path: path + ".part", reason: "No such file or directory")) {
            try await HTTPFetcher().fetch(
                FetchRequest(.get, peer.url, destination: .file(path: path, limit: 10)))
        }
    }
}
