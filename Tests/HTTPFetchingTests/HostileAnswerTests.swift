import Glibc
import HTTPFetching
import TestStage
import Testing

/// Peers that break the rules, one refusal each.
struct HostileAnswerTests {
    private func fetch(
        _ answer: String, end: Bool = true, patience: FetchRequest.Patience = FetchRequest.Patience(), limit: Int = 1000
    ) async throws -> FetchResponse {
        let peer = try LoopbackPeer { connection in
            guard connection.request() != nil else { return }
            connection.send(answer)
            if !end { _ = connection.request() }
        }
        defer { peer.stop() }
        return try await HTTPFetcher().fetch(
            FetchRequest(.get, peer.url, destination: .memory(limit: limit), patience: patience))
    }

    private func expect(
        _ isExpected: (FetchError) -> Bool, retry: Bool, when work: () async throws -> FetchResponse
    ) async throws {
        let error = try #require(await #expect(throws: FetchError.self) { _ = try await work() })
        #expect(isExpected(error), "got \(error)")
        #expect(error.isWorthRetrying == retry)
    }

    @Test(arguments: ["SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 abc no\r\n\r\n", "\r\n\r\n"])
    func `what is not HTTP is malformed`(answer: String) async throws {
        try await expect({ if case .malformedResponse = $0 { true } else { false } }, retry: true) {
            try await fetch(answer)
        }
    }

    @Test func `a head without end is malformed`() async throws {
        let fields = (0..<2000).map { "X-\($0): \(String(repeating: "a", count: 60))\r\n" }.joined()
        try await expect({ if case .malformedResponse = $0 { true } else { false } }, retry: true) {
            try await fetch("HTTP/1.1 200 OK\r\n\(fields)\r\n")
        }
    }

    @Test func `no answer at all is an interruption`() async throws {
        try await expect({ if case .interrupted = $0 { true } else { false } }, retry: true) { try await fetch("") }
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n",
    ])
    func `a body that breaks off is an interruption`(answer: String) async throws {
        try await expect({ if case .interrupted = $0 { true } else { false } }, retry: true) { try await fetch(answer) }
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n",
        "HTTP/1.1 500 Broken\r\nContent-Length: 11\r\n\r\nhello world",
    ])
    func `more than the limit is refused`(answer: String) async throws {
        try await expect({ $0 == .tooLarge(limit: 10) }, retry: true) { try await fetch(answer, limit: 10) }
    }

    @Test func `exactly the limit is accepted`() async throws {
        let response = try await fetch("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", limit: 5)
        #expect(response.body == Array("hello".utf8))
    }

    @Test func `a body that stalls is timed out`() async throws {
        try await expect({ if case .timedOut = $0 { true } else { false } }, retry: true) {
            try await fetch(
                "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", end: false,
                patience: FetchRequest.Patience(stall: .seconds(1)))
        }
    }

    @Test func `a body that drips without end is timed out`() async throws {
        let peer = try LoopbackPeer { connection in
            guard connection.request() != nil else { return }
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while connection.send("drips of more than sixteen bytes") { poll(nil, 0, 20) }
        }
        defer { peer.stop() }
        try await expect({ if case .timedOut = $0 { true } else { false } }, retry: true) {
            try await HTTPFetcher().fetch(
                FetchRequest(.get, peer.url, patience: FetchRequest.Patience(total: .milliseconds(300))))
        }
    }

    @Test func `trailers after the body change nothing`() async throws {
        let response = try await fetch(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nETag: \"a\"\r\n\r\n2\r\nhi\r\n0\r\nETag: \"b\"\r\n\r\n")
        #expect(response.fields["ETag"] == "\"a\"")
        #expect(response.body == Array("hi".utf8))
    }

    @Test func `nobody listening is out of reach`() async throws {
        let peer = try LoopbackPeer { _ in }
        peer.stop()
        try await expect({ if case .unreachable = $0 { true } else { false } }, retry: true) {
            try await HTTPFetcher().fetch(FetchRequest(.get, peer.url))
        }
    }

    @Test(arguments: ["file:///etc/passwd", "ftp://127.0.0.1/", "digits", "", "http://127.0.0.1:99999/", "http://"])
    func `a URL that is not HTTP is malformed`(url: String) async throws {
        try await expect({ if case .malformedRequest = $0 { true } else { false } }, retry: false) {
            try await HTTPFetcher().fetch(FetchRequest(.get, url))
        }
    }

    @Test(arguments: [
        HTTPField("X-Token", "a\r\nX-Other: b"), HTTPField("X Token", "a"), HTTPField("", "a"),
        HTTPField("X-Token", "a\u{0}b"),
    ])
    func `a field that would break the head is malformed`(field: HTTPField) async throws {
        try await expect({ if case .malformedRequest = $0 { true } else { false } }, retry: false) {
            try await HTTPFetcher().fetch(FetchRequest(.get, "http://127.0.0.1:9/", fields: [field]))
        }
    }

    @Test(arguments: ["nowhere", "."])
    func `a body that is no file is an error of that file`(name: String) async throws {
        let folder = try TemporaryFolder()
        let path = folder.path(name)
        try await expect({ if case .file(path, _) = $0 { true } else { false } }, retry: false) {
            try await HTTPFetcher().fetch(FetchRequest(.put, "http://127.0.0.1:9/", body: .file(path: path)))
        }
    }
}
