import Foundation
import HTTPServing
import HTTPTypes
import TestStage
import Testing

@Suite(.ownThread) struct FileResponseTests {
    private let folder: TemporaryFolder
    private let content = pattern(3_000_000)

    init() throws {
        folder = try TemporaryFolder()
        try Data(content).write(to: URL(fileURLWithPath: folder.file("a")))
    }

    private func exchange(_ fields: String, method: String = "GET", path: String = "/file") async throws -> Answer {
        let file = try OpenFile(path: folder.file("a"))
        let etag = try #require(EntityTag("v1"))
        let small = Array(content[..<1000])
        return try await serving { router in
            router.on(.get, "/file") { request in
                try Response.file(file, etag: etag, contentType: "application/octet-stream", for: request)
            }
            router.on(.get, "/bytes") { request in
                try Response.bytes(small, etag: etag, contentType: "text/plain", for: request)
            }
        } _: { port in
            let client = try RawClient(port: port)
            try client.send("\(method) \(path) HTTP/1.1\r\nHost: h\r\n\(fields)\r\n")
            return try client.receiveAnswer(hasBody: method != "HEAD")
        }
    }

    @Test func `a file is sent whole with its tag`() async throws {
        let answer = try await exchange("")
        #expect(answer.status == 200)
        #expect(answer.body == content)
        #expect(answer["etag"] == "\"v1\"")
        #expect(answer["accept-ranges"] == "bytes")
        #expect(answer["content-type"] == "application/octet-stream")
    }

    @Test func `HEAD tells a file's length`() async throws {
        let answer = try await exchange("Range: bytes=0-1\r\n", method: "HEAD")
        #expect(answer.status == 200)
        #expect(answer["content-length"] == "3000000")
    }

    @Test(arguments: [
        ("bytes=0-0", 0..<1), ("bytes=1000000-1999999", 1_000_000..<2_000_000), ("bytes=-5", 2_999_995..<3_000_000),
        ("bytes=2999990-", 2_999_990..<3_000_000),
    ])
    func `a part of a file is sent with its place`(range: String, expected: Range<Int>) async throws {
        let answer = try await exchange("Range: \(range)\r\n")
        #expect(answer.status == 206)
        #expect(answer.body == Array(content[expected]))
        #expect(answer["content-range"] == "bytes \(expected.lowerBound)-\(expected.upperBound - 1)/3000000")
    }

    @Test func `a part that does not exist is refused with the length`() async throws {
        let answer = try await exchange("Range: bytes=3000000-\r\n")
        #expect(answer.status == 416)
        #expect(answer["content-range"] == "bytes */3000000")
    }

    @Test(arguments: ["bytes=--10", "bytes=0-1,3-4", "x"])
    func `a range that cannot be read is ignored`(range: String) async throws {
        #expect(try await exchange("Range: \(range)\r\n").status == 200)
        #expect(try await exchange("Range: \(range)\r\n", path: "/bytes").body.count == 1000)
    }

    @Test(arguments: ["/file", "/bytes"])
    func `who has a representation already is told so`(path: String) async throws {
        let answer = try await exchange("If-None-Match: \"v0\", W/\"v1\"\r\n", path: path)
        #expect(answer.status == 304)
        #expect(answer["etag"] == "\"v1\"")
        #expect(answer["content-length"] == nil)
    }

    @Test func `bytes in memory are cut alike`() async throws {
        let answer = try await exchange("Range: bytes=10-19\r\nIf-Range: \"v1\"\r\n", path: "/bytes")
        #expect(answer.status == 206)
        #expect(answer.body == Array(content[10..<20]))
        #expect(try await exchange("Range: bytes=10-19\r\nIf-Range: \"v0\"\r\n", path: "/bytes").status == 200)
    }

    @Test func `a file that is missing or none is told apart`() throws {
        #expect(throws: OpenFileError.notFound) { try OpenFile(path: folder.file("b")) }
        #expect(throws: OpenFileError.notRegular) { try OpenFile(path: folder.path) }
    }

    @Test func `a file that shrinks ends the connection instead of the promise`() async throws {
        let path = folder.file("a")
        let file = try OpenFile(path: path)
        try #require(truncate(path, 1000) == 0)
        try await serving { router in
            router.on(.get, "/") { _ in Response(status: .ok, body: .file(file, 0..<file.byteCount)) }
        } _: { port in
            let client = try RawClient(port: port)
            try client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            let received = try client.receiveAll()
            #expect(received.count < 2000)
        }
    }
}
