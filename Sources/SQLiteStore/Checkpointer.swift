import Dispatch
import GRDB
import Logging
import Synchronization

/// Runs SQLite's checkpoints in parallel with commits: it moves pages from the log (WAL) into the database. Without it,
/// every commit that brings the log above 4 MiB would wait for a checkpoint.
final class Checkpointer: Sendable {
    /// The size of the log, in bytes, from which a checkpoint is worthwhile.
    private static let threshold = 4 << 20
    /// The least size of a commit in the log: a few pages.
    private static let commitSize = 20 << 10

    private let connection: DatabaseQueue
    private let logger: Logger
    private let queue = DispatchQueue(label: "rankwise.store.checkpointing", qos: .utility)
    private let pending = Atomic(0)

    init(of path: String, configuration: Configuration, logger: Logger) throws {
        connection = try DatabaseQueue(path: path, configuration: configuration)
        self.logger = logger
    }

    /// Notes a commit of this many bytes besides a few rows.
    func note(byteCount: Int) {
        let size = byteCount + Self.commitSize
        let before = pending.add(size, ordering: .relaxed).oldValue
        guard before < Self.threshold, before + size >= Self.threshold else { return }
        queue.async { self.run() }
    }

    private func run() {
        pending.store(0, ordering: .relaxed)
        do {
            _ = try connection.writeWithoutTransaction { try $0.checkpoint(.passive) }
        } catch {
            // The next checkpoint makes up for it, or a commit does when the log has become long.
            logger.warning("the database's log could not be moved into it", metadata: ["reason": "\(error)"])
        }
    }

    /// Waits for the checkpoint under way.
    func close() throws {
        queue.sync {}
        try connection.close()
    }
}
