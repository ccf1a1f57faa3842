import Foundation
import MemoryObjects
import TestStage
import Testing

@testable import ObjectStorage

/// Each operation over a real socket, against a server in memory and, where `RANKWISE_TEST_S3` names one, a real store.
@Suite(.ownThread) struct ObjectBucketTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test(arguments: TestedStore.all)
    func `bytes come back whole and by range`(_ tested: TestedStore) async throws {
        let (bucket, end) = try tested.open()
        defer { end() }
        let bytes = pattern(100_000)
        try await bucket.put("a/b", bytes)
        #expect(try await bucket.get("a/b", upTo: 100_000) == bytes)
        #expect(try await bucket.get("a/b", 10..<20) == Array(bytes[10..<20]))
        #expect(try await bucket.get("a/b", 99_999..<100_000) == [bytes[99_999]])
        #expect(try await bucket.get("a/b", 0..<100_000) == bytes)
        #expect(try await bucket.get("a/b", 5..<5) == [])
        let info = try await bucket.head("a/b")
        #expect(info.key == "a/b")
        #expect(info.byteCount == 100_000)
        #expect(abs(info.modified - CalendarTime.now.seconds) < 600)
        #expect(try await bucket.list("a").objects.map(\.byteCount) == [100_000])
    }

    @Test(arguments: TestedStore.all)
    func `a range that the object does not have is damage`(_ tested: TestedStore) async throws {
        let (bucket, end) = try tested.open()
        defer { end() }
        try await bucket.put("short", pattern(10))
        await withKnownIssue {
            for range in [5..<11, 10..<11, 100..<200] {
                await #expect {
                    try await bucket.get("short", range)
                } throws: {
                    if case .damaged? = $0 as? ObjectError { true } else { false }
                }
            }
        } when: {
            tested.lacks(.range)
        }
    }

    @Test(arguments: TestedStore.all)
    func `a file comes back as the file it was`(_ tested: TestedStore) async throws {
        let (bucket, end) = try tested.open()
        defer { end() }
        let bytes = pattern(12_000_000)
        let source = try folder.write("source", bytes)
        try await bucket.put("file", file: source, byteCount: bytes.count, sha256: digest(bytes))
        let target = folder.path("target")
        try await bucket.get("file", to: target, expecting: bytes.count, sha256: digest(bytes))
        #expect(folder.bytes("target") == bytes)
        #expect(folder.names == ["source", "target"])
        #expect(try await bucket.get("file", 11_999_990..<12_000_000) == Array(bytes[11_999_990...]))
    }

    @Test(arguments: TestedStore.all)
    func `the store refuses bytes that have another digest`(_ tested: TestedStore) async throws {
        let (bucket, end) = try tested.open()
        defer { end() }
        let source = try folder.write("source", pattern(2_000_000))
        await withKnownIssue {
            await #expect {
                try await bucket.put("altered", file: source, byteCount: 2_000_000, sha256: digest([1]))
            } throws: {
                if case .damaged? = $0 as? ObjectError { true } else { false }
            }
            await #expect(throws: ObjectError.missing) { try await bucket.head("altered") }
        } when: {
            tested.lacks(.digest)
        }
    }

    @Test(arguments: TestedStore.all)
    func `the blocking calls do the same`(_ tested: TestedStore) throws {
        let (bucket, end) = try tested.open()
        defer { end() }
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

    @Test(arguments: TestedStore.all)
    func `empty objects are objects`(_ tested: TestedStore) async throws {
        let (bucket, end) = try tested.open()
        defer { end() }
        try await bucket.put("empty", [])
        #expect(try await bucket.get("empty", upTo: 0) == [])
        try await bucket.get("empty", to: folder.path("empty"), expecting: 0, sha256: digest([]))
        #expect(folder.bytes("empty") == [])
        #expect(try await bucket.head("empty").byteCount == 0)
    }

    @Test(arguments: TestedStore.all)
    func `a put replaces what is there`(_ tested: TestedStore) async throws {
        let (bucket, end) = try tested.open()
        defer { end() }
        try await bucket.put("twice", pattern(100))
        try await bucket.put("twice", [7])
        #expect(try await bucket.get("twice", upTo: 100) == [7])
        #expect(try await bucket.list("").objects.map(\.byteCount) == [1])
    }

    @Test(
        arguments: TestedStore.all,
        [
            "ä ö/ü", "a+b&c=d", "x%20y", "q?r#s", "'quoted' (*)!", "<&>\"", "ሴ", "tilde~", "a:b;c,d@e$f",
            "\u{301}accent", "e\u{301}", "a/\u{301}b",
        ])
    func `a key may have any printable character`(_ tested: TestedStore, key: String) async throws {
        let (bucket, end) = try tested.open()
        defer { end() }
        try await withKnownIssue {
            try await bucket.put(key, [1, 2, 3])
            #expect(try await bucket.get(key, upTo: 3) == [1, 2, 3])
            #expect(try await bucket.list("").objects.map(\.key) == [key])
            #expect(try await bucket.list("", after: key).objects == [])
            try await bucket.delete([key])
            #expect(try await bucket.list("").objects == [])
        } when: {
            tested.lacks(.percent) && key.contains("%")
        }
    }

    @Test(arguments: [
        "", "/a", "a/", "a//b", "./a", "a/../b", "a/../\u{301}/b/..", "a\nb", "a\u{7F}",
        String(repeating: "k", count: 1100),
    ])
    func `a key that proxies or XML would change is refused`(key: String) async throws {
        let store = try MemoryStore()
        await #expect {
            try await store.bucket.put(key, [])
        } throws: {
            if case .invalid? = $0 as? ObjectError { true } else { false }
        }
        #expect(store.server.seen.isEmpty)
    }

    @Test(arguments: TestedStore.all)
    func `a missing object is missing and may be deleted`(_ tested: TestedStore) async throws {
        let (bucket, end) = try tested.open()
        defer { end() }
        await #expect(throws: ObjectError.missing) { try await bucket.head("no") }
        await #expect(throws: ObjectError.missing) { try await bucket.get("no", upTo: 10) }
        await #expect(throws: ObjectError.missing) { try await bucket.get("no", 0..<10) }
        await #expect(throws: ObjectError.missing) {
            try await bucket.get("no", to: folder.path("no"), expecting: 1, sha256: nil)
        }
        try await bucket.delete(["no", "nor this"])
        #expect(folder.names == [])
    }

    @Test(arguments: TestedStore.all)
    func `a list comes in pages and in order`(_ tested: TestedStore) async throws {
        let (bucket, end) = try tested.open()
        defer { end() }
        let names =
            (0..<20).map { "list/\(100 + $0)" } + ["list/B", "list/Z", "list/a-b", "list/a/b", "list/a0", "list/ä"]
        try await withThrowingTaskGroup { group in
            for name in names.reversed() + ["other"] { group.addTask { try await bucket.put(name, [1]) } }
            try await group.waitForAll()
        }
        var keys: [String] = []
        var after: String?
        var pages = 0
        repeat {
            let page = try await bucket.list("list/", after: after, limit: 10)
            keys += page.objects.map(\.key)
            after = page.next
            pages += 1
        } while after != nil && pages < 10
        #expect(pages == 3)
        #expect(keys == names)
        #expect(try await bucket.list("list/11").objects.count == 10)
        #expect(try await bucket.list("nothing").objects == [])
    }

    @Test(arguments: TestedStore.all)
    func `a bucket that is not there is no missing object`(_ tested: TestedStore) async throws {
        let (bucket, end) = try tested.open {
            $0.location = try BucketLocation(bucket: "nowhere-\(UUID().uuidString.lowercased())")
        }
        defer { end() }
        for call in [{ _ = try await bucket.get("x", upTo: 1) }, { try await bucket.probe() }]
            as [() async throws -> Void]
        {
            await #expect {
                try await call()
            } throws: {
                if case .refused(404, "NoSuchBucket", _)? = $0 as? ObjectError { true } else { false }
            }
        }
    }

    @Test(arguments: TestedStore.all)
    func `a wrong secret is refused, and so is an unknown key`(_ tested: TestedStore) async throws {
        let known = tested.credentials
        for (credentials, code) in [
            (Credentials(accessKeyID: known.accessKeyID, secretAccessKey: "wrong"), "SignatureDoesNotMatch"),
            (Credentials(accessKeyID: "nobody", secretAccessKey: known.secretAccessKey), "InvalidAccessKeyId"),
        ] {
            let (bucket, end) = try tested.open { $0.credentials = .fixed(credentials) }
            defer { end() }
            await #expect {
                try await bucket.put("x", [1])
            } throws: {
                if case .refused(403, code, _)? = $0 as? ObjectError { true } else { false }
            }
        }
    }

    @Test(arguments: TestedStore.all)
    func `many calls share few connections`(_ tested: TestedStore) async throws {
        let (bucket, end) = try tested.open { $0.connections = 2 }
        defer { end() }
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
