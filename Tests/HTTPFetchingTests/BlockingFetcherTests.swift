import Dispatch
import HTTPFetching
import Synchronization
import TestStage
import Testing

/// The fetcher for threads that may block, and answers that go into a sink.
@Suite(.ownThread) struct BlockingFetcherTests {
    /// Collects a body, and fails where it is told to.
    private final class Collecting: FetchSink {
        struct State {
            var announced: [Int64?] = []
            var bytes: [UInt8] = []
        }

        let state = Mutex(State())
        let limit: Int
        init(limit: Int = .max) { self.limit = limit }

        func begin(byteCount: Int64?) throws(FetchError) {
            state.withLock {
                $0.announced.append(byteCount)
                $0.bytes = []
            }
        }

        func take(_ bytes: UnsafeRawBufferPointer) throws(FetchError) {
            let isFull = state.withLock {
                $0.bytes += bytes
                return $0.bytes.count > limit
            }
            if isFull { throw .tooLarge(limit: Int64(limit)) }
        }
    }

    private static let body = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }

    @Test func `threads take turns, and one connection serves them`() throws {
        let peer = try LoopbackPeer { connection in
            while let request = connection.request() { connection.answer("200 OK", body: Array(request.target.utf8)) }
        }
        defer { peer.stop() }
        let fetcher = try BlockingFetcher()
        let url = peer.url
        let right = Mutex(0)
        DispatchQueue.concurrentPerform(iterations: 8) { number in
            let response = try? fetcher.fetch(FetchRequest(.get, "\(url)/\(number)"))
            if response?.body == Array("/\(number)".utf8) { right.withLock { $0 += 1 } }
        }
        #expect(right.withLock { $0 } == 8)
        #expect(peer.accepted == 1)
    }

    @Test func `a body goes into the sink as it comes`() throws {
        let peer = try LoopbackPeer { connection in
            guard connection.request() != nil else { return }
            connection.answer("200 OK", ["ETag: \"x\""], body: Self.body)
        }
        defer { peer.stop() }
        let sink = Collecting()
        let response = try BlockingFetcher().fetch(FetchRequest(.get, peer.url, destination: .sink(sink)))
        #expect(response.body == [])
        #expect(response.savedBytes == 1_000_000)
        #expect(sink.state.withLock { $0.announced } == [1_000_000])
        #expect(sink.state.withLock { $0.bytes } == Self.body)
    }

    @Test(arguments: ["404 Not Found", "503 Service Unavailable", "206 Partial Content"])
    func `only a whole answer goes into the sink`(status: String) throws {
        let peer = try LoopbackPeer { connection in
            guard connection.request() != nil else { return }
            connection.answer(status, body: Array("reason".utf8))
        }
        defer { peer.stop() }
        let sink = Collecting()
        let response = try BlockingFetcher().fetch(FetchRequest(.get, peer.url, destination: .sink(sink)))
        #expect(response.body == Array("reason".utf8))
        #expect(response.savedBytes == nil)
        #expect(sink.state.withLock { $0.announced } == [])
    }

    @Test func `an answer that is cut is an error, also in a sink`() throws {
        let peer = try LoopbackPeer { connection in
            guard connection.request() != nil else { return }
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
        }
        defer { peer.stop() }
        #expect {
            try BlockingFetcher().fetch(FetchRequest(.get, peer.url, destination: .sink(Collecting())))
        } throws: {
            if case .interrupted? = $0 as? FetchError { true } else { false }
        }
    }

    @Test func `a sink's error ends the transfer and is the fetch's`() throws {
        let peer = try LoopbackPeer { connection in
            guard connection.request() != nil else { return }
            connection.answer("200 OK", body: Self.body)
        }
        defer { peer.stop() }
        #expect(throws: FetchError.tooLarge(limit: 10)) {
            try BlockingFetcher().fetch(FetchRequest(.get, peer.url, destination: .sink(Collecting(limit: 10))))
        }
    }

    @Test func `a range is asked for and its answer kept in memory`() throws {
        let seen = Mutex<String?>(nil)
        let peer = try LoopbackPeer { connection in
            guard let request = connection.request() else { return }
            seen.withLock { $0 = request.fields["range"] }
            connection.answer("206 Partial Content", ["Content-Range: bytes 5-9/100"], body: Array("hello".utf8))
        }
        defer { peer.stop() }
        let response = try BlockingFetcher().fetch(
            FetchRequest(.get, peer.url, fields: [HTTPField("Range", "bytes=5-9")]))
        #expect(seen.withLock { $0 } == "bytes=5-9")
        #expect(response.status == 206)
        #expect(response.body == Array("hello".utf8))
        let range = try #require(response.fields["Content-Range"].flatMap(ContentRange.init))
        #expect(range.first == 5)
        #expect(range.total == 100)
    }

    @Test func `a wake ends a transfer that was cancelled`() throws {
        let asked = DispatchSemaphore(value: 0)
        let isCancelled = Mutex(false)
        let peer = try LoopbackPeer { connection in
            guard connection.request() != nil else { return }
            asked.signal()
            _ = connection.request()
        }
        defer { peer.stop() }
        let fetcher = try BlockingFetcher()
        DispatchQueue(label: "test.cancel").async {
            asked.wait()
            isCancelled.withLock { $0 = true }
            fetcher.wake()
        }
        #expect(throws: FetchError.cancelled) {
            try fetcher.fetch(
                FetchRequest(.get, peer.url, patience: .init(stall: .seconds(86_400))),
                isCancelled: { isCancelled.withLock { $0 } })
        }
    }
}
