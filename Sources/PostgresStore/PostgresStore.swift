import Dispatch
package import Federation
import Foundation
package import Logging
package import ObjectStorage
import StoredRows
import Synchronization

/// Keeps everything in PostgreSQL, and the bytes of updates and adapters in an S3-compatible bucket. Several servers
/// may use the same database and bucket at the same time.
///
/// A step locks the federation's row, catches up, decides, writes and commits. Objects are written before the rows that
/// name them. What this process keeps in memory or on its disk is a copy, or has not been acknowledged.
package final class PostgresStore: Sendable {
    let pool: PostgresPool
    let objects: ObjectBucket
    let scratch: ScratchFolder
    let logger: Logger
    let feed = StepBroadcast()
    let publications = ObjectPublications()
    let timelines = Timelines()
    let localUploads = LocalUploads()
    let orphans = Interval(seconds: 3600, beginsAtOnce: false)
    let presence: SharedPresence
    let follower: PostgresFollower
    let parts: PartCache
    let smallFiles: SmallFiles
    let configurations = CollectedQuestions<ConfigurationKey, String?>()
    /// Writes and takes in archives, one at a time.
    let archiving = DispatchQueue(label: "rankwise.postgres.archiving", qos: .utility)
    private let durability: Configuration.Durability
    private let isClosed = Atomic(false)

    package struct Configuration: Sendable {
        /// How the database keeps a commit when its machine is lost.
        package enum Durability: String, Sendable, CaseIterable {
            /// A synchronous standby has every commit; readiness fails without one.
            case synchronous
            /// There is one database server, and its disk is what is relied on.
            case lone
            /// A failover to a standby may lose the last commits, and the operator accepts it.
            case asynchronous
        }

        /// A connection string as libpq takes it.
        package var url: String
        /// A local folder for bodies on their way and for files that are lent.
        package var scratch: String
        package var durability = Durability.synchronous
        /// Whether this server aggregates rounds, and so takes parts of them.
        package var works = true
        /// Connections of this server.
        package var connections = 8
        /// For so many seconds a call waits for a database that is away.
        package var patience = 10.0

        package init(url: String, scratch: String) {
            self.url = url
            self.scratch = scratch
        }
    }

    /// Connects, makes the tables where they are missing, and begins to follow what other servers store.
    package convenience init(
        _ configuration: Configuration, objects: ObjectBucket, logger: Logger
    ) throws(StoreError) {
        try self.init(configuration, schema: .current, objects: objects, logger: logger)
    }

    /// - Parameter schema: the tables of the program's version.
    init(
        _ configuration: Configuration, schema: PostgresSchema, objects: ObjectBucket, logger: Logger
    ) throws(StoreError) {
        self.objects = objects
        self.logger = logger
        durability = configuration.durability
        scratch = try ScratchFolder(configuration.scratch)
        pool = PostgresPool(
            configuration.url, connections: configuration.connections, patience: configuration.patience, logger: logger)
        try Self.check(objects, logger: logger)
        try pool.runBlocking { connection in
            if connection.isExposed {
                logger.warning(
                    """
                    nobody checks that the other end of the connection is the database: others on the way could read and \
                    change it; expected sslmode=verify-full in data
                    """)
            }
            try schema.migrate(connection, logger: logger)
        }
        presence = SharedPresence()
        parts = PartCache(objects: objects)
        smallFiles = SmallFiles(objects: objects)
        follower = PostgresFollower(
            url: configuration.url, server: UUID().uuidString, works: configuration.works, schema: schema,
            timelines: timelines,
            logger: logger)
        follower.start(feed: feed, presence: presence)
    }

    /// Throws where the bucket refuses this server. One that is away may be back soon.
    private static func check(_ objects: ObjectBucket, logger: Logger) throws(StoreError) {
        let patience = ObjectPatience(
            retrying: .zero, tries: 1, total: .seconds(1), connect: .seconds(1), stall: .seconds(1))
        do throws(ObjectError) {
            try objects.blocking.probe(patience: patience)
        } catch {
            switch error {
            case .refused, .untrusted, .credentials, .invalid: throw .failed("\(objects.location): \(error)")
            // Away, too slow, or an answer that broke off.
            case .missing, .unavailable, .damaged, .noRoom, .file, .cancelled: break
            }
            logger.warning(
                "the bucket does not answer; no updates are taken until it does",
                metadata: ["bucket": "\(objects.location)", "reason": "\(error)"])
        }
    }

    /// Waits for the calls under way and closes all connections. Later calls fail.
    package func close() throws(StoreError) {
        guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        follower.stop()
        pool.close()
        feed.close()
        scratch.unlock()
    }

    /// The clock that all servers of the database share: PostgreSQL's, as this server last read it.
    package var clock: any WallClock { follower.clock }

    /// The number of servers that are alive, at least this one.
    package var serverCount: Int { follower.serverCount }

    /// The value that all servers share under a name; `value` where there is none yet.
    package func shared(_ name: String, orFirst value: ContentDigest) throws(StoreError) -> ContentDigest {
        try pool.runBlocking { connection in
            try connection.run(
                "INSERT INTO shared (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING", [name, value])
            guard let row = try connection.run("SELECT value FROM shared WHERE name = $1", [name]).first else {
                throw StoreError.failed("\(name) is not stored")
            }
            return try row.digest("value")
        }
    }

    /// Runs a transaction; `body` runs again from its start where the connection is lost before the commit.
    func transact<Value: Sendable>(
        _ body: @escaping @Sendable (PostgresConnection) throws -> Value
    ) async throws(StoreError) -> Value {
        try await pool.run { try $0.transact(body: body) }
    }

    /// The same on the caller's thread.
    func transactBlocking<Value>(_ body: (PostgresConnection) throws -> Value) throws(StoreError) -> Value {
        try pool.runBlocking { try $0.transact(body: body) }
    }

    /// Reads one snapshot.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (PostgresConnection) throws -> Value
    ) async throws(StoreError) -> Value {
        try await pool.run { try $0.transact("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", body: body) }
    }

    /// Throws unless a commit survives the loss of the database's machine as the configuration asks.
    func requireDurability(on connection: PostgresConnection) throws {
        guard durability == .synchronous else { return }
        let names: String =
            try connection.run("SHOW synchronous_standby_names").first?.value("synchronous_standby_names") ?? ""
        guard names.isEmpty else { return }
        throw StoreError.failed(
            "PostgreSQL has no synchronous standby (synchronous_standby_names is empty), so a failover could lose "
                + "acknowledged updates; set it, or say postgres.durability: lone or asynchronous")
    }
}

extension PostgresConnection {
    /// Runs a transaction, which ends with an error's rollback or with its commit.
    func transact<Value>(
        _ begin: String = "BEGIN", body: (PostgresConnection) throws -> Value
    ) throws -> Value {
        try runSimple(begin)
        do {
            let value = try body(self)
            try runSimple("COMMIT")
            return value
        } catch {
            try? runSimple("ROLLBACK")
            throw error
        }
    }
}
