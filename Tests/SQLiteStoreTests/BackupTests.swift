import Federation
import Foundation
import Logging
import StoreConformance
import TestStage
import Testing

@testable import SQLiteStore

/// Backups beside a server, and what is unpacked from them.
@Suite(.ownThread) struct BackupTests {
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Unpacks an archive as an operator does.
    private func unpack(_ archive: String, into folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try #require(try Program(["tar", "-xf", archive, "-C", folder]).exitStatus() == 0)
    }

    private func backUp(_ directory: String, to file: String) throws -> StoreBackup {
        let beside = try SQLiteStore(beside: directory, logger: logger)
        defer { try? beside.close() }
        return try beside.backUp(to: file)
    }

    @Test func `a backup made while serving holds the moment's state, and a round goes on from it`() async throws {
        try await withDirectory { directory in
            let store = try SQLiteStore(directory: directory + "/data", logger: logger)
            let live = try await LiveFederation(creating: "digits", in: Stores(store))
            try await live.register("edge-1", "edge-2")
            try await live.send("one", from: "edge-1", round: 1)
            let part = Sample.part("fc1", .a, rows: 0..<5)
            try store.append([part], of: live.id, round: 0)
            let atBackup = live.machine
            let file = directory + "/backup.tar"
            let backup = try backUp(directory + "/data", to: file)
            #expect(backup.findings.isEmpty && backup.blobs == 1)
            #expect(backup.byteCount == FileManager.default.contents(atPath: file)?.count)
            let attributes = try FileManager.default.attributesOfItem(atPath: file)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory).sorted() == ["backup.tar", "data"])
            // What comes later is not in it.
            try await live.send("two", from: "edge-2", round: 1)
            try store.close()

            try unpack(file, into: directory + "/restored")
            let restored = try SQLiteStore(directory: directory + "/restored", logger: logger)
            let again = try await LiveFederation(loadedFrom: Stores(restored))
            expectEqual(again.machine, atBackup)
            let blob = restored.directory.blobPath(of: Sample.contentDigest("one"))
            #expect(FileManager.default.contents(atPath: blob) == Data("one".utf8))
            #expect(try restored.rows(5, of: part.tensor, federation: again.id, round: 0) == part.values)
            try await again.send("two", from: "edge-2", round: 1)
            #expect(again.machine.round?.phase == .aggregating)
            #expect(try restored.audit().findings.isEmpty)
            try restored.close()
        }
    }

    @Test func `a later backup takes the place of an earlier one, and a failed one leaves it`() async throws {
        try await withDirectory { directory in
            let store = try SQLiteStore(directory: directory + "/data", logger: logger)
            let file = directory + "/backup.tar"
            // What a killed backup left is in nobody's way.
            try FileManager.default.createDirectory(
                atPath: file + ".partial/rankwise.sqlite", withIntermediateDirectories: true)
            _ = try backUp(directory + "/data", to: file)
            let first = try #require(FileManager.default.contents(atPath: file))
            _ = try await LiveFederation(creating: "digits", in: Stores(store))
            _ = try backUp(directory + "/data", to: file)
            #expect(FileManager.default.contents(atPath: file) != first)
            #expect(throws: StoreError.self) { try backUp(directory + "/data", to: directory + "/nowhere/b.tar") }
            try store.close()
        }
    }

    @Test func `a damaged blob is left out and named`() async throws {
        try await withDirectory { directory in
            let store = try SQLiteStore(directory: directory + "/data", logger: logger)
            let live = try await LiveFederation(creating: "digits", in: Stores(store))
            try await live.register("edge-1", "edge-2")
            try await live.send("one", from: "edge-1", round: 1)
            let blob = store.directory.blobPath(of: Sample.contentDigest("one"))
            try Data("eno".utf8).write(to: URL(fileURLWithPath: blob))
            let backup = try backUp(directory + "/data", to: directory + "/backup.tar")
            #expect(backup.blobs == 0)
            #expect(backup.findings.count == 1 && backup.findings[0].contains("was altered"))
            try store.close()
        }
    }

    @Test func `a header's fields are octal, its checksum is right, and long files are in binary`() throws {
        let header = try TarWriter.header(of: "blobs/ab", byteCount: 1234, modified: 8, isFolder: false)
        #expect(header.count == 512)
        func text(_ range: Range<Int>) -> String { String(decoding: header[range], as: UTF8.self) }
        #expect(text(0..<9) == "blobs/ab\0")
        #expect(text(100..<108) == "0000600\0")
        #expect(text(124..<136) == "00000002322\0")
        #expect(text(136..<148) == "00000000010\0")
        #expect(text(156..<157) == "0")
        #expect(text(257..<265) == "ustar\u{0}00")
        let sum = header.enumerated().reduce(0) { $0 + ((148..<156).contains($1.offset) ? 0x20 : Int($1.element)) }
        #expect(Int(text(148..<154), radix: 8) == sum)
        let long = try TarWriter.header(of: "x", byteCount: 1 << 33, modified: 0, isFolder: false)
        #expect(Array(long[124..<136]) == [0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0])
        #expect(throws: TarWriter.Failure.self) {
            try TarWriter.header(of: String(repeating: "n", count: 101), byteCount: 0, modified: 0, isFolder: false)
        }
    }
}
