import Federation
import Foundation
import Logging
import SQLiteStore
import Testing

/// Unfinished uploads in a folder, over restarts.
@Suite struct PartialUploadTests {
    private let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"

    private func open() throws -> SQLiteStore {
        try SQLiteStore(directory: folder, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func key(_ federation: String, _ round: Int, _ client: String) throws -> UploadKey {
        UploadKey(federation: try FederationID(federation), round: round, client: try ClientName(client))
    }

    @Test func `uploads are found again with their length and their bytes`() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let store = try open()
        let (first, second) = (try key("a.b_c-d", 7, "x-1"), try key("f", 1, "edge"))
        let long = try await store.beginUpload(first, length: 1000, sureLength: nil)
        try Data([1, 2, 3, 4]).write(to: URL(fileURLWithPath: long.path))
        try await store.truncate(long, to: 3)
        let unknown = try await store.beginUpload(second, length: nil, sureLength: nil)
        await #expect(throws: StoreError.self) {
            try await store.beginUpload(first, length: 1000, sureLength: nil)
        }
        try Data().write(to: URL(fileURLWithPath: folder + "/uploads/a~b"))
        try store.close()
        let again = try open()
        let found = try await again.partialUploads().sorted { $0.offset > $1.offset }
        #expect(found.map(\.key) == [first, second])
        #expect(found.map(\.length) == [1000, nil])
        #expect(found.map(\.offset) == [3, 0])
        #expect(found.map(\.file) == [long, unknown])
        let known = try await again.note(length: 50, sureLength: nil, of: second, in: unknown)
        #expect(try await again.partialUploads().contains { $0.file == known && $0.length == 50 })
        await again.discard(known)
        await again.discard(long)
        #expect(try await again.partialUploads().isEmpty)
        #expect(FileManager.default.fileExists(atPath: folder + "/uploads/a~b"))
        try again.close()
    }

    @Test func `of bytes that are still to be checked, only those that are sure are found again`() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let store = try open()
        let key = try key("f", 1, "edge")
        let first = try await store.beginUpload(key, length: nil, sureLength: 0)
        try Data([1, 2, 3, 4]).write(to: URL(fileURLWithPath: first.path))
        #expect(try await store.partialUploads().map(\.offset) == [0])
        let second = try await store.note(length: 9, sureLength: 3, of: key, in: first)
        try store.close()
        let again = try open()
        let found = try #require(try await again.partialUploads().first)
        #expect(found.offset == 3 && found.sureLength == 3 && found.length == 9 && found.file == second)
        let all = try await again.note(length: 9, sureLength: nil, of: key, in: second)
        #expect(try await again.partialUploads().map(\.offset) == [4])
        // A name whose last part is no number is not the store's.
        for name in ["f~1~edge~9~", "f~1~edge~9~-1", "f~1~edge~9~x", "f~1~edge~9~1~1"] {
            try Data().write(to: URL(fileURLWithPath: folder + "/uploads/" + name))
        }
        #expect(try await again.partialUploads().map(\.file) == [all])
        try again.close()
    }
}
