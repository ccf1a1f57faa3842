package import Federation
import Logging
import StoredRows

/// A step under the federation's lock.
extension PostgresStore {
    package func step<Outcome: Sendable>(
        on copy: FederationMachine,
        decide: @escaping @Sendable (FederationMachine) -> (step: FederationStep, outcome: Outcome)
    ) async throws(StoreError) -> Outcome {
        let (step, outcome) = try await pool.run { connection in
            try self.step(on: copy, connection, decide)
        }
        guard !step.changes.isEmpty else { return outcome }
        follower.note(StoredStep(federation: step.machine.settings.id, revision: step.machine.revision))
        return outcome
    }

    package func current(_ copy: FederationMachine) async throws(StoreError) -> FederationMachine {
        let id = copy.settings.id
        return try await read { connection in
            guard
                let row = try connection.run(
                    "SELECT \(Self.columns) FROM federations WHERE id = $1", [id, copy.revision]
                ).first
            else { throw StoreError.failed("\(id) is not stored any more") }
            let reader = PostgresReader(connection: connection, key: try row.value("key"))
            let basis = try self.basis(copy, row, reader)
            self.timelines.noteRead(id, on: connection.timeline)
            return basis
        }
    }

    /// What of a federation's own row a server that has a copy needs. The second parameter is the copy's revision.
    private static let columns = """
        key, CASE WHEN settings_step > $2 THEN settings END AS settings, state, round, published_round, revision,
        plan_revision, created_at, event_seq, event_head, client_number, refusal_number
        """

    /// The stored federation, from a copy and the federation's own row.
    private func basis(
        _ copy: FederationMachine, _ row: PostgresRow, _ reader: PostgresReader
    ) throws -> FederationMachine {
        timelines.mustRead(copy.settings.id, on: reader.connection.timeline)
            ? try again(copy, reader) : try current(copy, row, reader)
    }

    /// One attempt. It throws `.disconnected` only where nothing was stored, so that it can run again.
    private func step<Outcome>(
        on copy: FederationMachine, _ connection: PostgresConnection,
        _ decide: (FederationMachine) -> (step: FederationStep, outcome: Outcome)
    ) throws -> (FederationStep, Outcome) {
        let nonce = Int64.random(in: .min ... .max)
        let id = copy.settings.id
        let row = try lock(id, since: copy.revision, connection)
        do {
            let key: Int64 = try row.value("key")
            let reader = PostgresReader(connection: connection, key: key)
            let basis = try self.basis(copy, row, reader)
            let (step, outcome) = decide(basis)
            guard !step.changes.isEmpty else {
                try connection.runSimple("ROLLBACK")
                timelines.noteRead(id, on: connection.timeline)
                return (step, outcome)
            }
            let claims = ObjectClaims(publications) { self.scratch.blobs.unpin($0) }
            do {
                var writer = PostgresWriter(
                    basis, step: step.machine.revision, key: key, counters: try .init(row, of: id), on: connection,
                    object: claims.take)
                for change in step.changes { try writer.store(change) }
                if let lease = step.spending { try spend(lease, federation: key, connection) }
                writer.finish(step.machine, nonce: nonce)
                try commit(&writer, step.machine, nonce: nonce)
            } catch let error as UnknownOutcome {
                claims.detach()
                throw error
            } catch {
                claims.giveBack()
                throw error
            }
            claims.end()
            timelines.noteRead(id, on: connection.timeline)
            return (step, outcome)
        } catch {
            if case PostgresError.disconnected = error {} else { try? connection.runSimple("ROLLBACK") }
            throw error
        }
    }

    /// Begins a transaction and locks the federation's row.
    private func lock(
        _ id: FederationID, since revision: Int64, _ connection: PostgresConnection
    ) throws -> PostgresRow {
        let results = try connection.run([
            PostgresStatement("BEGIN"),
            PostgresStatement("SELECT \(Self.columns) FROM federations WHERE id = $1 FOR UPDATE", [id, revision]),
        ])
        guard let row = results.last?.first else {
            try? connection.runSimple("ROLLBACK")
            throw StoreError.failed("\(id) is not stored any more")
        }
        return row
    }

    /// The federation as it is stored.
    private func current(
        _ copy: FederationMachine, _ row: PostgresRow, _ reader: PostgresReader
    ) throws -> FederationMachine {
        let revision: Int64 = try row.value("revision")
        if revision == copy.revision { return copy }
        if revision > copy.revision { return try reader.federation(copy, movedTo: row) }
        return try again(copy, reader)
    }

    /// The federation as it is stored, read as a whole: its history is not the one that the server knows.
    private func again(_ copy: FederationMachine, _ reader: PostgresReader) throws -> FederationMachine {
        guard let row = try reader.rows("SELECT * FROM federations WHERE key = $1").first else {
            throw StoreError.failed("\(copy.settings.id) is not stored any more")
        }
        let machine = try reader.federation(row).machine
        if machine.revision < copy.revision {
            logger.critical(
                "the database has an older state than this server; it goes on from the database's",
                metadata: [
                    "federation": "\(copy.settings.id)", "revision": "\(machine.revision)",
                    "known": "\(copy.revision)",
                ])
        }
        return machine
    }

    /// Marks the lease's job as done; throws `.fenced` where it has another holder.
    private func spend(_ lease: Lease, federation: Int64, _ connection: PostgresConnection) throws {
        let spent = try connection.run(
            """
            UPDATE jobs SET is_done = true, holder = NULL
            WHERE federation = $1 AND kind = $2 AND round = $3 AND part = $4 AND fence = $5 AND NOT is_done
            """, [federation, lease.job.kindColumn, lease.job.roundColumn, lease.job.partColumn, lease.fence])
        guard spent.changedCount == 1 else { throw StoreError.fenced }
    }

    /// Sends the writes, the notification and the commit together. Where the answer to the commit is lost, the database
    /// is asked whether the step is there.
    private func commit(_ writer: inout PostgresWriter, _ machine: FederationMachine, nonce: Int64) throws {
        let id = machine.settings.id
        do {
            try writer.send([
                PostgresFollower.notification(of: id, revision: machine.revision), PostgresStatement("COMMIT"),
            ])
        } catch PostgresError.disconnected(let reason) {
            logger.warning(
                "the answer to a commit was lost; the database is asked",
                metadata: ["federation": "\(id)", "reason": "\(reason)"])
            let isStored: Bool
            do {
                isStored = try self.isStored(id, machine.revision, nonce: nonce)
            } catch {
                throw UnknownOutcome(reason: "\(error)")
            }
            guard isStored else { throw PostgresError.disconnected(reason) }
        }
    }

    /// A step that may be stored or not.
    private struct UnknownOutcome: Error, CustomStringConvertible {
        let reason: String
        var description: String { "it is not known whether a step is stored: \(reason)" }
    }

    /// Whether this very step is stored. The old connection's transaction may still be open at the server, so the row's
    /// lock is taken first.
    private func isStored(_ id: FederationID, _ revision: Int64, nonce: Int64) throws -> Bool {
        try pool.onNewConnection { connection in
            let results = try connection.run([
                PostgresStatement("BEGIN"),
                PostgresStatement("SELECT key FROM federations WHERE id = $1 FOR UPDATE", [id]),
                PostgresStatement(
                    """
                    SELECT 1 AS one FROM steps WHERE revision = $2 AND nonce = $3
                      AND federation = (SELECT key FROM federations WHERE id = $1)
                    """, [id, revision, nonce]),
                PostgresStatement("COMMIT"),
            ])
            return results.count == 4 && results[2].first != nil
        }
    }
}

/// The objects that one attempt of a step begins to refer to.
final class ObjectClaims {
    private let publications: ObjectPublications
    private let release: (ContentDigest) -> Void
    private var taken: [(ContentDigest, ObjectPublications.Object)] = []

    /// - Parameter release: called for each object whose step is stored.
    init(_ publications: ObjectPublications, release: @escaping (ContentDigest) -> Void) {
        self.publications = publications
        self.release = release
    }

    /// Where a published object has these bytes; throws where none has.
    func take(_ digest: ContentDigest) throws(StoreError) -> ObjectPlace {
        guard let object = publications.take(digest) else {
            throw .failed("the blob \(digest) was not published, or too long ago")
        }
        taken.append((digest, object))
        return object.place
    }

    /// The step was not stored.
    func giveBack() {
        for (digest, object) in taken { publications.putBack(digest, object) }
        taken = []
    }

    /// The step may be stored or not.
    func detach() {
        for (digest, object) in taken { publications.putBack(digest, object, mayBeRecorded: true) }
        taken = []
    }

    /// The step is stored: its rows have the objects from now on.
    func end() {
        for (digest, _) in taken { release(digest) }
        taken = []
    }
}

extension Job {
    /// The stored form of the kind.
    var kindColumn: String {
        switch kind {
        case .aggregation: "aggregation"
        case .part: "part"
        case .folding: "folding"
        case .drawing: "drawing"
        }
    }

    /// The job's round; 0 for one of no round.
    var roundColumn: Int {
        switch kind {
        case .aggregation(let round), .part(let round, _): round
        case .folding, .drawing: 0
        }
    }

    var isPart: Bool { if case .part = kind { true } else { false } }

    /// The part's index; 0 for a job without parts.
    var partColumn: Int { if case .part(_, let index) = kind { index } else { 0 } }
}
