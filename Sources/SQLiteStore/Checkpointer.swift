import Dispatch
import GRDB
import Logging
import Synchronization

/// Moves what commits have left in the database's log into the database itself, beside the commits: left to SQLite, every
/// commit that brings the log beyond 4 MiB would wait for that.
final class Checkpointer: Sendable {
    /// So many bytes of the log are worth a checkpoint.
    private static let threshold = 4 << 20
    /// What a commit takes there at least: some pages.
    private static let commitSize = 20 << 10

    private let connection: DatabaseQueue
    private let logger: Logger
    private let queue = DispatchQueue(label: "rankwise.store.checkpointing", qos: .utility)
    private let pending = Atomic(0)

    init(of path: String, configuration: Configuration, logger: Logger) throws {
        connection = try DatabaseQueue(path: path, configuration: configuration)
        self.logger = logger
    }

    /// Notes a commit, of so many bytes besides a few rows.
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
            // The next one, or a commit when the log has become long, makes up for it.
            logger.warning("the database's log could not be moved into it", metadata: ["reason": "\(error)"])
        }
    }

    /// Ends the checkpoint under way.
    func close() throws {
        queue.sync {}
        try connection.close()
    }
}
