import DurableFiles
import Foundation
import Synchronization

/// A file beside the database with the number of its commits. A database with fewer commits has lost some.
///
/// SQLite cannot detect this loss: if its write-ahead log is deleted or replaced by an older file, it opens what is
/// there. The mark is written within a second after the commits that it counts, so it is never ahead of them.
final class CommitMark: Sendable {
    private struct State {
        var latest = 0
        var isDue = false
    }

    private let path: String
    private let state = Mutex(State())

    init(path: String) { self.path = path }

    /// The count in the file; nil where there is none, or a power cut left the file empty.
    func read() -> Int? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        return Int(text.trimmingCharacters(in: .whitespacesAndNewlines))
    }

    /// Notes a commit. Returns whether the caller must arrange a later call of `write`.
    func note(_ commits: Int) -> Bool {
        state.withLock { state in
            state.latest = max(state.latest, commits)
            defer { state.isDue = true }
            return !state.isDue
        }
    }

    /// Writes the latest count, without a sync, because an older count is also safe.
    func write() {
        let latest = state.withLock { state in
            state.isDue = false
            return state.latest
        }
        guard latest > 0 else { return }
        try? DurableFile.replace(path, promising: .nothing, with: Array("\(latest)\n".utf8))
    }
}
