import Dispatch
import DurableFiles
package import Federation
import Foundation
import GRDB
package import Logging
import Synchronization

/// Keeps all data of a server: metadata and adapters in one SQLite file, the bytes of uploads and updates in files
/// beside it.
///
/// A write is durable when its call returns. SQLite runs with `synchronous=FULL`, and a blob's name is synced before
/// the row that refers to it is committed. The async calls run on the store's own queues, never on Swift's cooperative
/// pool. A commit that has begun ends even if its caller is cancelled.
package final class SQLiteStore: Sendable {
    let directory: DataDirectory
    let pool: DatabasePool
    let logger: Logger
    let writing = DispatchQueue(label: "rankwise.store.writing")
    let reading = DispatchQueue(label: "rankwise.store.reading")
    /// Deletes files, so that commits do not wait for deletions.
    let deleting = DispatchQueue(label: "rankwise.store.deleting")
    /// Creates and renames the files of uploads.
    let uploading = DispatchQueue(label: "rankwise.store.uploading")
    /// Reads blobs of an earlier run, which takes long for large ones.
    let checking = DispatchQueue(label: "rankwise.store.checking", qos: .utility)
    /// Writes and takes in archives, one at a time.
    let archiving = DispatchQueue(label: "rankwise.store.archiving", qos: .utility)
    let isClosed = Atomic(false)
    /// nil where another process owns the directory.
    private let checkpointer: Checkpointer?
    let publications: BlobPublications
    let publisher: BlobPublisher
    let leases: LeaseTable
    let parts = PartTable()
    let feed = StepBroadcast()
    let presence = MemoryPresence()

    /// Opens the data directory, creates what is missing, and deletes files without a record.
    ///
    /// - Parameter clock: the clock by which leases and the grace period of blobs expire.
    /// - Throws: `StoreOpeningError`, also where another process has the directory open.
    package init(
        directory path: String, logger: Logger, clock: any WallClock = ProcessClock()
    ) throws(StoreOpeningError) {
        directory = try DataDirectory(path: path)
        self.logger = logger
        publications = BlobPublications(clock: clock)
        publisher = BlobPublisher(in: directory)
        leases = LeaseTable(clock: clock)
        do {
            pool = try Self.openDatabase(at: directory.databasePath)
            checkpointer = try Checkpointer(
                of: directory.databasePath, configuration: Self.configuration, logger: logger)
            try directory.sync()
            directory.noteDatabase()
            try Self.requireAllCommits(of: pool, in: directory)
            let deleted = try directory.deleteSpoolFiles()
            let sweep = try deleteUnclaimedBlobs()
            if deleted + sweep.deleted > 0 {
                logger.info("deleted files that no record refers to", metadata: ["files": "\(deleted + sweep.deleted)"])
            }
            if sweep.isCutShort { sweepLater() }
            resumeDeletions()
            reportDamage(to: try pool.read { try HeldBlob.all(in: $0) })
        } catch let error as StoreOpeningError {
            throw error
        } catch let error as SchemaMismatch {
            throw .version(path: directory.databasePath, error)
        } catch {
            throw .database(path: directory.databasePath, reason: String(describing: error))
        }
    }

    /// Opens the data directory for reading only, beside the server that may own it. Writes fail.
    ///
    /// No blob is deleted until this reader is closed, so all blobs that a snapshot of the database names can be read.
    package init(beside path: String, logger: Logger) throws(StoreOpeningError) {
        directory = try DataDirectory(reading: path)
        self.logger = logger
        publications = BlobPublications(clock: ProcessClock())
        publisher = BlobPublisher(in: directory)
        leases = LeaseTable(clock: ProcessClock())
        checkpointer = nil
        do {
            var configuration = Self.configuration
            configuration.readonly = true
            pool = try DatabasePool(path: directory.databasePath, configuration: configuration)
            try pool.read(Schema.requireKnownVersion)
            guard try pool.read(Schema.migrator.hasCompletedMigrations) else {
                throw StoreOpeningError.notMigrated(path: directory.databasePath)
            }
        } catch let error as StoreOpeningError {
            throw error
        } catch let error as SchemaMismatch {
            throw .version(path: directory.databasePath, error)
        } catch {
            throw .database(path: directory.databasePath, reason: String(describing: error))
        }
    }

    /// Waits for the calls under way, closes the database and releases the data directory. Later calls fail.
    package func close() throws(StoreError) {
        guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        publisher.close()
        for queue in [archiving, writing, reading, deleting, uploading, checking] { queue.sync {} }
        feed.close()
        directory.mark.write()
        do {
            try checkpointer?.close()
            // Afterwards the database file is complete by itself, so that a copy of it alone loses nothing.
            if !pool.configuration.readonly { _ = try pool.writeWithoutTransaction { try $0.checkpoint(.truncate) } }
            try pool.close()
        } catch {
            throw storeError(error)
        }
        directory.unlock()
    }

    static var configuration: Configuration {
        var configuration = Configuration()
        configuration.label = "rankwise.store"
        configuration.foreignKeysEnabled = true
        // Only a backup can lock the file, and only for a moment.
        configuration.busyMode = .timeout(10)
        // Has an effect only before the first table is created.
        configuration.prepareDatabase { database in
            if !database.configuration.readonly { try database.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL") }
        }
        return configuration
    }

    private static func openDatabase(at path: String) throws -> DatabasePool {
        let pool = try DatabasePool(path: path, configuration: configuration)
        try pool.read(Schema.requireKnownVersion)
        try pool.writeWithoutTransaction { database in
            // GRDB sets NORMAL whenever it opens WAL, and then a power cut may undo commits. In some distributions
            // SQLite overwrites deleted data with zeros, which takes as long as writing an adapter.
            try database.execute(
                sql: """
                    PRAGMA synchronous = FULL;
                    PRAGMA secure_delete = FAST;
                    PRAGMA wal_autocheckpoint = 16384;
                    PRAGMA journal_size_limit = 67108864
                    """)
        }
        try requireFullSynchronous(of: pool)
        try Schema.migrator.migrate(pool)
        try allowReclaiming(in: pool)
        return pool
    }

    /// Checks, before anything is deleted, that the database has every commit that the `CommitMark` file counted.
    private static func requireAllCommits(of pool: DatabasePool, in directory: DataDirectory) throws {
        let found = try pool.read { try Int.fetchOne($0, sql: "SELECT commits FROM progress") } ?? 0
        guard let expected = directory.mark.read(), found < expected else { return }
        throw StoreOpeningError.commitsLost(path: directory.databasePath, found: found, expected: expected)
    }

    /// Checks SQLite's sync mode. Any other mode than FULL could lose an acknowledged commit.
    static func requireFullSynchronous(of pool: DatabasePool) throws {
        let level = try pool.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA synchronous") }
        guard level == 2 else { throw StoreOpeningError.notDurable(path: pool.path, synchronous: level) }
    }
}

extension SQLiteStore {
    /// Runs a transaction on the queue for writing.
    func commit<Value: Sendable>(
        _ transaction: @escaping @Sendable (Database) throws -> Value
    ) async throws(StoreError) -> Value {
        try await run(on: writing) { () throws(StoreError) in try self.write(transaction) }
    }

    /// Reads one snapshot on the queue for reading.
    func fetch<Value: Sendable>(
        _ query: @escaping @Sendable (Database) throws -> Value
    ) async throws(StoreError) -> Value {
        try await run(on: reading) { () throws(StoreError) in try self.read(query) }
    }

    /// Runs a transaction, blocking the caller.
    ///
    /// - Parameter byteCount: roughly the bytes that it writes, where that is more than a few rows.
    func write<Value>(byteCount: Int = 0, _ transaction: (Database) throws -> Value) throws(StoreError) -> Value {
        try writeIfChanged(byteCount: byteCount) { (try transaction($0), true) }
    }

    /// Runs a transaction, blocking the caller. It is rolled back where it reports no change.
    ///
    /// - Parameter undo: called where the transaction ran but could not be committed.
    func writeIfChanged<Value>(
        byteCount: Int = 0, _ transaction: (Database) throws -> (Value, hasChanged: Bool),
        undo: (Value) -> Void = { _ in }
    ) throws(StoreError) -> Value {
        guard directory.isInPlace else { throw .gone }
        var result: (value: Value, commits: Int?)?
        do {
            try pool.writeWithoutTransaction { database in
                try database.inTransaction(.immediate) {
                    let (value, hasChanged) = try transaction(database)
                    result = (value, nil)
                    guard hasChanged else { return .rollback }
                    let commits = try Int.fetchOne(
                        database.cachedStatement(sql: "UPDATE progress SET commits = commits + 1 RETURNING commits"))
                    result = (value, commits ?? 0)
                    return .commit
                }
            }
        } catch {
            if let result { undo(result.value) }
            throw storeError(error)
        }
        guard let result else { throw .failed("a transaction has not run") }
        if let commits = result.commits {
            if directory.mark.note(commits) {
                deleting.asyncAfter(deadline: .now() + .seconds(1)) { [directory] in directory.mark.write() }
            }
            checkpointer?.note(byteCount: byteCount)
        }
        return result.value
    }

    /// Reads one snapshot, blocking the caller.
    func read<Value>(_ query: (Database) throws -> Value) throws(StoreError) -> Value {
        do {
            return try pool.read(query)
        } catch {
            throw storeError(error)
        }
    }

    /// Runs blocking work on one of the store's queues.
    func run<Value: Sendable>(
        on queue: DispatchQueue, _ work: @escaping @Sendable () throws(StoreError) -> Value
    ) async throws(StoreError) -> Value {
        let result: Result<Value, StoreError> = await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: Result(catching: work)) }
        }
        return try result.get()
    }

    /// The port's error for an error of SQLite or the file system.
    func storeError(_ error: any Error) -> StoreError {
        switch error {
        case let error as StoreError: return error
        case let error as FileError: return error.reason == .full ? .full : .failed(error.description)
        case let error as DatabaseError:
            if error.resultCode == .SQLITE_FULL { return .full }
            // A full disk appears as a plain I/O error where SQLite grows its shared memory or syncs.
            if error.resultCode == .SQLITE_IOERR, directory.isFull { return .full }
            return .failed(error.description)
        default: return .failed(String(describing: error))
        }
    }
}
