import HTTPFetching
import Synchronization
import TestStage
import Testing

/// Requests and answers over real sockets.
struct HTTPFetcherTests {
    @Test func `an answer brings its status, fields and body`() async throws {
        let peer = try LoopbackPeer { connection in
            guard connection.request() != nil else { return }
            connection.answer("207 Some", ["X-Word:  two words "], body: Array("hello".utf8))
        }
        defer { peer.stop() }
        let response = try await HTTPFetcher().fetch(FetchRequest(.get, peer.url))
        #expect(response.status == 207)
        #expect(response.fields["x-word"] == "two words")
        #expect(response.body == Array("hello".utf8))
        #expect(response.savedBytes == nil)
    }

    @Test(.timeLimit(.minutes(1))) func `fetches that wait for an answer leave other tasks their threads`() async throws
    {
        let arrivals = AsyncStream.makeStream(of: Void.self)
        let peer = try LoopbackPeer { connection in
            guard connection.request() != nil else { return }
            arrivals.continuation.yield()
            // Ends with the connection.
            _ = connection.request()
        }
        defer { peer.stop() }
        await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<16 {
                group.addTask { _ = try await HTTPFetcher().fetch(FetchRequest(.get, peer.url)) }
            }
            var count = 0
            for await _ in arrivals.stream {
                count += 1
                if count == 16 { break }
            }
            // Runs although sixteen fetches wait, which are more than there are threads for tasks.
            #expect(await Task.detached { 1 }.value == 1)
            group.cancelAll()
            while let result = await group.nextResult() { #expect(throws: FetchError.self) { try result.get() } }
        }
    }

    @Test(arguments: [FetchRequest.Method.put, .post, .patch])
    func `a body from memory arrives with its fields`(method: FetchRequest.Method) async throws {
        let seen = Mutex<PeerRequest?>(nil)
        let peer = try LoopbackPeer { connection in
            seen.withLock { $0 = connection.request() }
            connection.answer("201 Created")
        }
        defer { peer.stop() }
        let response = try await HTTPFetcher().fetch(
            FetchRequest(
                method, peer.url + "/a?b=c",
                fields: [HTTPField("Authorization", "Bearer x"), HTTPField("X-Empty", "")],
                body: .bytes(Array("{}".utf8))))
        let request = try #require(seen.withLock { $0 })
        #expect(response.status == 201)
        #expect(request.method == method.rawValue)
        #expect(request.target == "/a?b=c")
        #expect(request.fields["authorization"] == "Bearer x")
        #expect(request.fields["x-empty"] == "")
        #expect(request.body == Array("{}".utf8))
    }

    @Test func `a request without a body says so`() async throws {
        let seen = Mutex<[PeerRequest]>([])
        let peer = try LoopbackPeer { connection in
            while let request = connection.request() {
                seen.withLock { $0.append(request) }
                connection.answer("204 No Content")
            }
        }
        defer { peer.stop() }
        let fetcher = try HTTPFetcher()
        _ = try await fetcher.fetch(FetchRequest(.delete, peer.url))
        _ = try await fetcher.fetch(FetchRequest(.post, peer.url))
        #expect(seen.withLock { $0.map(\.method) } == ["DELETE", "POST"])
        #expect(seen.withLock { $0.map { $0.fields["content-length"] } } == ["0", "0"])
    }

    @Test func `a large file is streamed after the server said to continue`() async throws {
        let folder = try TemporaryFolder()
        let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let file = try folder.write("upload", bytes)
        let seen = Mutex<PeerRequest?>(nil)
        let peer = try LoopbackPeer { connection in
            seen.withLock { $0 = connection.request() }
            connection.answer("201 Created")
        }
        defer { peer.stop() }
        let progress = Mutex<[FetchProgress]>([])
        _ = try await HTTPFetcher().fetch(
            FetchRequest(.put, peer.url, body: .file(path: file)) { counts in progress.withLock { $0.append(counts) } })
        let request = try #require(seen.withLock { $0 })
        #expect(request.fields["expect"] == "100-continue")
        #expect(request.body == bytes)
        #expect(progress.withLock { $0.last?.sent } == 3_000_000)
        #expect(progress.withLock { $0.last?.toSend } == 3_000_000)
    }

    @Test func `a refusal before the body is sent is the answer`() async throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("upload", [UInt8](repeating: 1, count: 3_000_000))
        let peer = try LoopbackPeer { connection in
            guard connection.head() != nil else { return }
            connection.answer("409 Conflict", ["Connection: close"], body: Array("no".utf8))
        }
        defer { peer.stop() }
        let response = try await HTTPFetcher().fetch(FetchRequest(.put, peer.url, body: .file(path: file)))
        #expect(response.status == 409)
        #expect(response.body == Array("no".utf8))
    }

    @Test func `one connection serves many requests`() async throws {
        let peer = try LoopbackPeer { connection in
            while connection.request() != nil { connection.answer("200 OK", body: [1]) }
        }
        defer { peer.stop() }
        let fetcher = try HTTPFetcher()
        for _ in 0..<5 { #expect(try await fetcher.fetch(FetchRequest(.get, peer.url)).status == 200) }
        #expect(peer.accepted == 1)
    }

    @Test func `a kept connection that died is replaced and the body sent again`() async throws {
        let bodies = Mutex<[[UInt8]]>([])
        let peer = try LoopbackPeer { connection in
            guard let request = connection.request() else { return }
            bodies.withLock { $0.append(request.body) }
            connection.answer("200 OK")
        }
        defer { peer.stop() }
        let fetcher = try HTTPFetcher()
        for _ in 0..<3 {
            let response = try await fetcher.fetch(FetchRequest(.put, peer.url, body: .bytes([1, 2, 3])))
            #expect(response.status == 200)
        }
        #expect(bodies.withLock { $0 } == [[1, 2, 3], [1, 2, 3], [1, 2, 3]])
    }

    @Test func `a redirect is an answer`() async throws {
        let peer = try LoopbackPeer { connection in
            while connection.request() != nil {
                connection.answer("307 Temporary Redirect", ["Location: http://127.0.0.1:9/"])
            }
        }
        defer { peer.stop() }
        let response = try await HTTPFetcher().fetch(FetchRequest(.get, peer.url))
        #expect(response.status == 307)
        #expect(response.fields["Location"] == "http://127.0.0.1:9/")
    }

    @Test func `HEAD waits for no body`() async throws {
        let peer = try LoopbackPeer { connection in
            guard let request = connection.request() else { return }
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 99\r\nX-Method: \(request.method)\r\n\r\n")
            _ = connection.request()
        }
        defer { peer.stop() }
        let response = try await HTTPFetcher().fetch(FetchRequest(.head, peer.url))
        #expect(response.fields["X-Method"] == "HEAD")
        #expect(response.body == [])
    }

    @Test func `requests made at once are served one after another`() async throws {
        let peer = try LoopbackPeer { connection in
            while let request = connection.request() {
                connection.answer("200 OK", body: Array(request.target.utf8))
            }
        }
        defer { peer.stop() }
        let fetcher = try HTTPFetcher()
        let url = peer.url
        try await withThrowingTaskGroup { group in
            for number in 0..<20 {
                group.addTask {
                    let response = try await fetcher.fetch(FetchRequest(.get, "\(url)/\(number)"))
                    #expect(response.body == Array("/\(number)".utf8))
                }
            }
            try await group.waitForAll()
        }
        #expect(peer.accepted == 1)
    }

    @Test(.timeLimit(.minutes(5))) func `cancelling ends a transfer that waits for its answer`() async throws {
        let (arrivals, arrived) = AsyncStream<Void>.makeStream()
        let peer = try LoopbackPeer { connection in
            guard connection.request() != nil else { return }
            arrived.yield()
            _ = connection.request()
        }
        defer { peer.stop() }
        let fetcher = try HTTPFetcher()
        let url = peer.url
        // Nothing else would end it: no answer comes, and there is no time-out.
        let patient = FetchRequest.Patience(stall: .seconds(86_400))
        let fetch = Task { try await fetcher.fetch(FetchRequest(.get, url, patience: patient)) }
        for await _ in arrivals { break }
        fetch.cancel()
        await #expect(throws: FetchError.cancelled) { try await fetch.value }
    }

    @Test func `a cancelled task sends nothing`() async throws {
        let peer = try LoopbackPeer { connection in _ = connection.request() }
        defer { peer.stop() }
        let fetcher = try HTTPFetcher()
        let url = peer.url
        let fetch = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await fetcher.fetch(FetchRequest(.get, url))
        }
        await #expect(throws: FetchError.cancelled) { try await fetch.value }
        #expect(peer.accepted == 0)
    }
}
