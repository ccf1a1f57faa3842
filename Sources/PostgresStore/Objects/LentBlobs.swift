import DurableFiles
import Federation
import Foundation
import Synchronization

/// Local files with the bytes of objects, by digest. A file that nobody uses stays as long as there is room.
final class LentBlobs: Sendable {
    fileprivate struct Entry {
        var byteCount: Int
        /// Borrowers and pins.
        var users = 0
        var lastUse: UInt64 = 0
    }

    fileprivate struct State {
        var entries: [ContentDigest: Entry] = [:]
        var byteCount = 0
        var clock: UInt64 = 0
    }

    /// Unused files are deleted beyond so many bytes in all.
    static let byteLimit = 4 << 30

    private let folder: String
    private let state = Mutex(State())

    init(folder: String) { self.folder = folder }

    func path(of digest: ContentDigest) -> String { "\(folder)/\(digest.hex)" }

    /// Moves a file here and pins it until `unpin`.
    func pin(_ staged: SpoolFile, as digest: ContentDigest, byteCount: Int) throws(StoreError) {
        guard rename(staged.path, path(of: digest)) == 0 else {
            throw .failed("\(staged.path) cannot be moved: \(String(cString: strerror(errno)))")
        }
        use(digest, byteCount: byteCount)
    }

    func unpin(_ digest: ContentDigest) { release(digest) }

    /// Gives a pinned file's bytes back under another path.
    func copy(_ digest: ContentDigest, to staged: SpoolFile) {
        unlink(staged.path)
        if link(path(of: digest), staged.path) == 0 { return }
        try? FileManager.default.copyItem(atPath: path(of: digest), toPath: staged.path)
    }

    /// The file, for as long as the result lives; nil where it is not here.
    func lend(_ digest: ContentDigest) -> LentFile? {
        let isHere = state.withLock { state in
            guard state.entries[digest] != nil else { return false }
            state.use(digest)
            return true
        }
        guard isHere else { return nil }
        guard access(path(of: digest), R_OK) == 0 else {
            release(digest)
            return nil
        }
        return LentFile(path: path(of: digest)) { [weak self] in self?.release(digest) }
    }

    /// Takes in a file that was fetched, and lends it.
    func lend(fetched path: String, as digest: ContentDigest, byteCount: Int) throws(StoreError) -> LentFile {
        try pin(SpoolFile(path: path), as: digest, byteCount: byteCount)
        return LentFile(path: self.path(of: digest)) { [weak self] in self?.release(digest) }
    }

    private func use(_ digest: ContentDigest, byteCount: Int) {
        state.withLock { state in
            if state.entries[digest] == nil {
                state.entries[digest] = Entry(byteCount: byteCount)
                state.byteCount += byteCount
            }
            state.use(digest)
        }
    }

    private func release(_ digest: ContentDigest) {
        state.withLock { state in
            state.entries[digest]?.users -= 1
            while state.byteCount > Self.byteLimit {
                let idle = state.entries.filter { $0.value.users <= 0 }
                guard let oldest = idle.min(by: { $0.value.lastUse < $1.value.lastUse }) else { return }
                state.byteCount -= oldest.value.byteCount
                state.entries[oldest.key] = nil
                unlink(path(of: oldest.key))
            }
        }
    }
}

extension LentBlobs.State {
    fileprivate mutating func use(_ digest: ContentDigest) {
        clock += 1
        entries[digest]?.users += 1
        entries[digest]?.lastUse = clock
    }
}
