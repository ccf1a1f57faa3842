import Federation
import Foundation
import Testing

@testable import Coordinator

/// Which blobs are summed without being hashed again.
@Suite struct FreshBlobTests {
    private let digest = ContentDigest(bytes: [UInt8](repeating: 7, count: 32))
    private let noted = Timestamp(milliseconds: 1_700_000_000_000)

    enum Event: CaseIterable {
        case nothing, written, grown, replaced, gone, old, noted, forgotten
    }

    @Test(arguments: Event.allCases)
    func `a blob is fresh as long as its file is the one that was noted, and for ten minutes`(_ event: Event) throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/blob"
        let digest = try #require(digest)
        try Data("0123456789".utf8).write(to: URL(fileURLWithPath: path))
        let blobs = FreshBlobs()
        #expect(!blobs.contains(digest, byteCount: 10, at: path, now: noted))
        blobs.note(digest, at: path, now: noted)
        #expect(blobs.contains(digest, byteCount: 10, at: path, now: noted))
        #expect(!blobs.contains(digest, byteCount: 11, at: path, now: noted))
        var now = noted.adding(seconds: 600)
        let descriptor = open(path, O_WRONLY)
        defer { close(descriptor) }
        switch event {
        case .nothing: break
        case .written: #expect(pwrite(descriptor, "x", 1, 3) == 1)
        case .grown: #expect(pwrite(descriptor, "x", 1, 10) == 1)
        case .replaced: try Data("0123456789".utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
        case .gone: try FileManager.default.removeItem(atPath: path)
        case .old: now = noted.adding(seconds: 600.001)
        case .noted:
            now = noted.adding(seconds: 1000)
            blobs.note(digest, at: path, now: now)
        case .forgotten: blobs.forget([digest])
        }
        let isFresh = event == .nothing || event == .noted
        #expect(blobs.contains(digest, byteCount: 10, at: path, now: now) == isFresh)
    }

    @Test func `work beside its caller gives its outcome as often as it is asked for, or its error`() throws {
        let work = WorkBeside { () throws(StoreError) in 7 }
        #expect(try work.outcome() == 7 && work.outcome() == 7)
        let failing = WorkBeside { () throws(StoreError) -> Int in throw .full }
        #expect(throws: StoreError.full) { try failing.outcome() }
    }
}
