/// Why a data directory cannot be opened.
package enum StoreOpeningError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A folder or file in it cannot be created or opened.
    case directory(path: String, reason: String)
    /// Another process has it open.
    case locked(path: String, by: String)
    case database(path: String, reason: String)
    /// The database has a version that this program does not open.
    case version(path: String, SchemaMismatch)
    /// The tables are of an earlier version, and a read-only process cannot migrate them.
    case notMigrated(path: String)
    /// SQLite does not guarantee that commits survive a power cut.
    case notDurable(path: String, synchronous: Int?)
    /// The database has fewer commits than were counted.
    case commitsLost(path: String, found: Int, expected: Int)

    package var description: String {
        switch self {
        case .directory(let path, let reason): "the data directory cannot be used: \(path): \(reason)"
        case .locked(let path, let holder):
            "the data directory \(path) is in use by another server (process \(holder)); one server owns a data directory"
        case .database(let path, let reason): "the database \(path) cannot be opened: \(reason)"
        case .version(let path, let mismatch):
            "the database \(path) is not opened: \(mismatch); use the version that wrote it, or another directory"
        case .notMigrated(let path):
            "the database \(path) was written by an older version of this program; start the server on it once"
        case .commitsLost(let path, let found, let expected):
            "the database \(path) has \(found) of at least \(expected) commits: it, or its -wal file, was deleted or replaced by "
                + "an older one. Nothing was changed. Put it back, or restore a backup to another folder; to go on with what "
                + "is there, delete rankwise.mark beside it"
        case .notDurable(let path, let level):
            "the database \(path) runs with synchronous=\(level.map(String.init) ?? "unknown"); expected 2 (FULL)"
        }
    }
}
