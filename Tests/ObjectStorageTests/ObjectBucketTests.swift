import MemoryObjects
import TestStage
import Testing

@testable import ObjectStorage

/// Each operation against a server in memory, over a real socket.
@Suite(.ownThread) struct ObjectBucketTests {
    private let folder: TemporaryFolder
    private let store: MemoryStore
    private var bucket: ObjectBucket { store.bucket }

    init() throws {
        folder = try TemporaryFolder()
        store = try MemoryStore()
    }

    @Test func `bytes come back whole and by range`() async throws {
        let bytes = pattern(100_000)
        try await bucket.put("a/b", bytes)
        #expect(try await bucket.get("a/b", upTo: 100_000) == bytes)
        #expect(try await bucket.get("a/b", 10..<20) == Array(bytes[10..<20]))
        #expect(try await bucket.get("a/b", 99_999..<100_000) == [bytes[99_999]])
        #expect(try await bucket.get("a/b", 5..<5) == [])
        #expect(store.server.keys(in: "updates") == ["test/a/b"])
        let info = try await bucket.head("a/b")
        #expect(info.key == "a/b")
        #expect(info.byteCount == 100_000)
        #expect(abs(info.modified - CalendarTime.now.seconds) < 600)
    }

    @Test func `a file comes back as the file it was`() async throws {
        let bytes = pattern(3_000_000)
        let source = try folder.write("source", bytes)
        try await bucket.put("file", file: source, byteCount: bytes.count, sha256: digest(bytes))
        let target = folder.path("target")
        try await bucket.get("file", to: target, expecting: bytes.count, sha256: digest(bytes))
        #expect(folder.bytes("target") == bytes)
        #expect(folder.names == ["source", "target"])
        // Large bodies wait for the store's word, and the signature holds with the field that asks for it.
        let put = try #require(store.server.seen.first)
        #expect(put.path == "/updates/test/file")
        #expect(put.expectsContinue)
    }

    @Test func `the blocking calls do the same`() throws {
        let calls = bucket.blocking
        let bytes = pattern(2000)
        try calls.put("x", bytes)
        let source = try folder.write("source", bytes)
        try calls.put("y", file: source, byteCount: 2000, sha256: digest(bytes))
        try calls.get("y", to: folder.path("target"), expecting: 2000, sha256: digest(bytes))
        #expect(folder.bytes("target") == bytes)
        #expect(try calls.get("x", 1..<3) == [bytes[1], bytes[2]])
        #expect(try calls.get("x", upTo: 2000) == bytes)
        #expect(try calls.head("x").byteCount == 2000)
        #expect(try calls.list("").objects.map(\.key) == ["x", "y"])
        try calls.delete(["x", "y", "z"])
        #expect(try calls.list("").objects == [])
        try calls.probe()
        #expect(throws: ObjectError.missing) { try calls.head("x") }
    }

    @Test func `empty objects are objects`() async throws {
        try await bucket.put("empty", [])
        #expect(try await bucket.get("empty", upTo: 0) == [])
        try await bucket.get("empty", to: folder.path("empty"), expecting: 0, sha256: digest([]))
        #expect(folder.bytes("empty") == [])
        #expect(try await bucket.head("empty").byteCount == 0)
    }

    @Test(arguments: ["ä ö/ü", "a+b&c=d", "x%20y", "q?r#s", "'quoted' (*)!", "ሴ", "tilde~"])
    func `a key may have any printable character`(key: String) async throws {
        try await bucket.put(key, [1, 2, 3])
        #expect(try await bucket.get(key, upTo: 3) == [1, 2, 3])
        #expect(try await bucket.list("").objects.map(\.key) == [key])
        #expect(try await bucket.list("", after: key).objects == [])
        try await bucket.delete([key])
        #expect(store.server.keys(in: "updates") == [])
    }

    @Test(arguments: ["", "/a", "a/", "a//b", "./a", "a/../b", "a\nb", "a\u{7F}", String(repeating: "k", count: 1100)])
    func `a key that proxies or XML would change is refused`(key: String) async throws {
        await #expect {
            try await bucket.put(key, [])
        } throws: {
            if case .invalid? = $0 as? ObjectError { true } else { false }
        }
        #expect(store.server.seen.isEmpty)
    }

    @Test func `a missing object is missing and may be deleted`() async throws {
        await #expect(throws: ObjectError.missing) { try await bucket.head("no") }
        await #expect(throws: ObjectError.missing) { try await bucket.get("no", upTo: 10) }
        await #expect(throws: ObjectError.missing) { try await bucket.get("no", 0..<10) }
        await #expect(throws: ObjectError.missing) {
            try await bucket.get("no", to: folder.path("no"), expecting: 1, sha256: nil)
        }
        try await bucket.delete(["no", "nor this"])
        #expect(folder.names == [])
    }

    @Test func `a list comes in pages and in order`() async throws {
        for number in 0..<25 { try await bucket.put("list/\(String(100 + number))", [1]) }
        try await bucket.put("other", [1])
        var keys: [String] = []
        var after: String?
        var pages = 0
        repeat {
            let page = try await bucket.list("list/", after: after, limit: 10)
            keys += page.objects.map(\.key)
            after = page.next
            pages += 1
        } while after != nil
        #expect(pages == 3)
        #expect(keys == (0..<25).map { "list/\(100 + $0)" })
        #expect(try await bucket.list("list/12").objects.count == 5)
        #expect(try await bucket.list("nothing").objects == [])
    }

    @Test func `a bucket that is not there is no missing object`() async throws {
        let nowhere = try BucketLocation(bucket: "nowhere")
        let store = try MemoryStore(configure: { $0.location = nowhere })
        await #expect {
            try await store.bucket.get("x", upTo: 1)
        } throws: {
            if case .refused(404, "NoSuchBucket", _)? = $0 as? ObjectError { true } else { false }
        }
        await #expect {
            try await store.bucket.probe()
        } throws: {
            if case .refused(404, "NoSuchBucket", _)? = $0 as? ObjectError { true } else { false }
        }
    }

    @Test func `many calls share few connections`() async throws {
        let store = try MemoryStore(configure: { $0.connections = 2 })
        let bucket = store.bucket
        try await withThrowingTaskGroup { group in
            for number in 0..<40 {
                group.addTask {
                    try await bucket.put("n\(number)", [UInt8(number)])
                    #expect(try await bucket.get("n\(number)", upTo: 1) == [UInt8(number)])
                }
            }
            try await group.waitForAll()
        }
        #expect(try await bucket.list("").objects.count == 40)
    }
}
