import Dispatch
import Federation
import Glibc
import Logging
import StoredRows
import Synchronization

/// Learns what other servers store, on a connection and a thread of its own.
///
/// Notifications come at once and may be lost, so once a second it also compares all revisions. At the same time it
/// reads the database's clock, says that this server is alive, and exchanges what was seen of clients.
final class PostgresFollower: Sendable {
    /// The time in which announcements gather, in milliseconds. The first one is delivered at once.
    private static let pause: Int64 = 15

    private struct State {
        /// Revisions.
        var known: [FederationID: Int64] = [:]
        /// `federations.key`: it tells a federation from an earlier one of the same name.
        var keys: [FederationID: Int64] = [:]
        var serverCount = 1
        var workerCount = 1
        /// The running clock at the last complete look.
        var lastLook: Int64?
        var feed: StepBroadcast?
    }

    let clock = DatabaseClock()
    private let timelines: Timelines
    private let url: String
    private let schema: PostgresSchema
    let serverID: String
    /// Whether this server aggregates rounds.
    private let works: Bool
    private let logger: Logger
    private let state = Mutex(State())
    private let isStopped = Atomic(false)
    private let ended = DispatchSemaphore(value: 0)
    /// Written to end the wait.
    private let wakes: (reading: Int32, writing: Int32)

    init(
        url: String, server: String, works: Bool, schema: PostgresSchema, timelines: Timelines, logger: Logger
    ) {
        self.url = url
        self.schema = schema
        self.timelines = timelines
        serverID = server
        self.works = works
        self.logger = logger
        var ends: [Int32] = [-1, -1]
        pipe(&ends)
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        wakes = (ends[0], ends[1])
    }

    deinit {
        close(wakes.reading)
        close(wakes.writing)
    }

    /// Looks once, and then follows until `stop`.
    func start(feed: StepBroadcast, presence: SharedPresence) {
        state.withLock { $0.feed = feed }
        let first = DispatchSemaphore(value: 0)
        DispatchQueue(label: "rankwise.postgres.follower").async { [self] in
            var first: DispatchSemaphore? = first
            var session: Session?
            while !isStopped.load(ordering: .acquiring) {
                do {
                    if session == nil { session = try Session(url) }
                    if let session { try follow(session, presence, &first) }
                } catch {
                    logger.warning("PostgreSQL cannot be followed", metadata: ["reason": "\(error)"])
                    session = nil
                    first?.signal()
                    first = nil
                    wait(on: -1, milliseconds: 500)
                }
            }
            // The others divide their rates by who is left, and a new version need not wait. Best effort.
            _ = try? session?.connection.run("DELETE FROM servers WHERE id = $1", [serverID])
            ended.signal()
        }
        first.wait()
    }

    func stop() {
        isStopped.store(true, ordering: .releasing)
        var byte: UInt8 = 0
        _ = write(wakes.writing, &byte, 1)
        ended.wait()
    }

    var serverCount: Int { state.withLock { $0.serverCount } }
    /// The servers alive that aggregate rounds, at least 1.
    var workerCount: Int { state.withLock { $0.workerCount } }

    /// Whether this server may have missed what others stored for longer than `seconds`.
    func isBehind(by seconds: Double) -> Bool {
        guard let last = state.withLock({ $0.lastLook }) else { return true }
        return Double(DatabaseClock.running() - last) > seconds * 1000
    }

    /// Announces a step, unless it is already known.
    func note(_ step: StoredStep) {
        state.withLock { state in
            switch step.kind {
            case .stored:
                guard step.revision > state.known[step.federation] ?? 0 else { return }
                state.known[step.federation] = step.revision
            case .rewound: state.known[step.federation] = step.revision
            case .gone:
                guard state.known.removeValue(forKey: step.federation) != nil else { return }
                state.keys[step.federation] = nil
            }
            state.feed?.yield(step)
        }
    }

    /// The statement that tells the other servers of a deletion.
    static func notificationOfEnd(of federation: FederationID) -> PostgresStatement {
        notification(of: federation, revision: -1)
    }

    /// The statement that tells the other servers of a step; it takes effect with the commit.
    static func notification(of federation: FederationID, revision: Int64) -> PostgresStatement {
        PostgresStatement(
            "SELECT pg_notify('rankwise.' || current_schema(), $1)", ["\(federation) \(revision)"])
    }
}

extension PostgresFollower {
    /// A connection that listens.
    private final class Session {
        let connection: PostgresConnection
        var nextLook: Int64 = 0
        /// The database's time of the last look at the table of sightings.
        var seenUntil: Int64 = 0

        init(_ url: String) throws {
            connection = try PostgresConnection(url)
            let schema: String = try connection.run("SELECT current_schema()::text AS name").first?.value("name") ?? ""
            try connection.runSimple("LISTEN \"rankwise.\(schema)\"")
        }
    }

    /// Waits for notifications until the next look is due, and looks.
    private func follow(
        _ session: Session, _ presence: SharedPresence, _ first: inout DispatchSemaphore?
    ) throws {
        if DatabaseClock.running() >= session.nextLook {
            try look(session, presence)
            session.nextLook = DatabaseClock.running() + 1000
            first?.signal()
            first = nil
        }
        // Those that came with the answers of a look make the socket ready no more.
        var payloads = try session.connection.notifications()
        if payloads.isEmpty {
            wait(on: session.connection.socket, milliseconds: max(0, session.nextLook - DatabaseClock.running()))
            payloads = try session.connection.notifications()
        }
        for payload in payloads {
            let words = payload.split(separator: " ")
            guard words.count == 2, let id = FederationID(rawValue: String(words[0])), let revision = Int64(words[1])
            else { continue }
            note(StoredStep(federation: id, revision: revision, kind: revision < 0 ? .gone : .stored))
        }
        // Each announcement makes a session read, so many of them are taken together.
        if !payloads.isEmpty { wait(on: -1, milliseconds: Self.pause) }
    }

    private func look(_ session: Session, _ presence: SharedPresence) throws {
        let (before, keys) = state.withLock { ($0.known, $0.keys) }
        let asked = DatabaseClock.running()
        let results = try session.connection.run([
            PostgresStatement("SELECT now_ms() AS now"),
            PostgresStatement("SELECT id, key, revision FROM federations WHERE left(id, 1) <> '~'"),
            PostgresStatement(
                """
                INSERT INTO servers (id, alive_at, works, schema) VALUES ($1, now_ms(), $2, $3)
                ON CONFLICT (id) DO UPDATE SET alive_at = excluded.alive_at
                """, [serverID, works, schema.newest]),
            PostgresStatement("DELETE FROM servers WHERE alive_at < now_ms() - 60000"),
            PostgresStatement(
                """
                SELECT count(*) AS count, count(*) FILTER (WHERE works) AS workers
                FROM servers WHERE alive_at > now_ms() - 10000
                """),
            PostgresSchema.versionsStatement,
        ])
        guard results.count == 6, let now: Int64 = try results[0].first?.value("now") else {
            throw PostgresError.disconnected("a look has no answer")
        }
        // A server that was paused while it was left behind hears nothing any more, and so refuses its callers.
        try schema.requireUse(of: results[5])
        clock.set(now, askedAt: asked)
        var found: [FederationID: Int64] = [:]
        for row in results[1].rows {
            let id: FederationID = try row.text("id")
            let key: Int64 = try row.value("key")
            found[id] = try row.value("revision")
            // Another federation has the name.
            if let known = keys[id], known != key { note(StoredStep(federation: id, revision: 0, kind: .gone)) }
            state.withLock { $0.keys[id] = key }
        }
        let isNewHistory = timelines.hasChanged(to: session.connection.timeline)
        for (id, revision) in found {
            let isRewound = isNewHistory || before[id].map { revision < $0 } ?? false
            note(StoredStep(federation: id, revision: revision, kind: isRewound ? .rewound : .stored))
        }
        for id in before.keys where found[id] == nil { note(StoredStep(federation: id, revision: 0, kind: .gone)) }
        let count: Int = try results[4].first?.value("count") ?? 1
        let workers: Int = try results[4].first?.value("workers") ?? 1
        try exchange(session, presence, at: now)
        state.withLock { state in
            state.serverCount = max(1, count)
            state.workerCount = max(1, workers)
            state.lastLook = asked
        }
    }

    /// Writes what this server has seen of clients, and reads what others have.
    private func exchange(_ session: Session, _ presence: SharedPresence, at now: Int64) throws {
        let news = presence.takeNews().flatMap { id, sightings in
            sightings.map { sighting in
                PostgresStatement(
                    """
                    INSERT INTO seen (federation, client, at, is_absent, written)
                    SELECT key, $2, $3, $4, now_ms() FROM federations WHERE id = $1
                    ON CONFLICT (federation, client) DO UPDATE SET at = excluded.at, is_absent = excluded.is_absent,
                      written = excluded.written WHERE seen.at <= excluded.at
                    """, [id, sighting.client, sighting.at, sighting.isAbsent])
            }
        }
        for start in stride(from: 0, to: news.count, by: 1000) {
            try session.connection.run(Array(news[start..<min(start + 1000, news.count)]))
        }
        // A row may become visible some time after it says that it was written.
        let rows = try session.connection.run(
            """
            SELECT federations.id, client, at, is_absent FROM seen
            JOIN federations ON federations.key = seen.federation WHERE written > $1
            """, [session.seenUntil - 5000]
        ).rows
        for row in rows {
            presence.apply(
                .init(client: try row.text("client"), at: try row.instant("at"), isAbsent: try row.value("is_absent")),
                of: try row.text("id"))
        }
        session.seenUntil = now
    }

    /// Waits until the socket can be read, somebody wakes the follower, or the time is over.
    private func wait(on socket: Int32, milliseconds: Int64) {
        var files = [
            pollfd(fd: wakes.reading, events: Int16(POLLIN), revents: 0),
            pollfd(fd: socket, events: Int16(POLLIN), revents: 0),
        ]
        poll(&files, socket < 0 ? 1 : 2, Int32(clamping: milliseconds))
    }
}
