import DurableFiles
import Foundation
import Synchronization

/// A file beside the database that says how many commits it has had: a database with fewer has lost some.
///
/// SQLite cannot tell: where its write-ahead log is deleted, or an older file put in its place, it opens what is there. The
/// mark is written after the commits that it counts, within a second, and so is never ahead of them.
final class CommitMark: Sendable {
    private struct State {
        var latest = 0
        var isDue = false
    }

    private let path: String
    private let state = Mutex(State())

    init(path: String) { self.path = path }

    /// What the file says; nil where there is none, or a power cut left it empty.
    func read() -> Int? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        return Int(text.trimmingCharacters(in: .whitespacesAndNewlines))
    }

    /// Notes a commit; answers whether the caller is to have `write` called in a while.
    func note(_ commits: Int) -> Bool {
        state.withLock { state in
            state.latest = max(state.latest, commits)
            defer { state.isDue = true }
            return !state.isDue
        }
    }

    /// Writes the latest count; without a sync, since an older one serves as well.
    func write() {
        let latest = state.withLock { state in
            state.isDue = false
            return state.latest
        }
        guard latest > 0 else { return }
        try? DurableFile.replace(path, promising: .nothing, with: Array("\(latest)\n".utf8))
    }
}
