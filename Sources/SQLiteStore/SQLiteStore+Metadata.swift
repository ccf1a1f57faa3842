import DurableFiles
package import Federation
import Foundation
import GRDB

extension SQLiteStore: MetadataStore {
    package func federations() async throws(StoreError) -> StoredFederations {
        try await fetch { try FederationReader.federations(in: $0) }
    }

    package func federation(_ federation: FederationID) async throws(StoreError) -> StoredFederation? {
        try await fetch { try FederationReader.federation(federation, in: $0) }
    }

    package func create(_ federation: StoredFederation) async throws(StoreError) {
        try await commit { try FederationWriter.insert(federation, into: $0) }
    }

    package func current(_ copy: FederationMachine) async throws(StoreError) -> FederationMachine {
        try await fetch { database in try FederationReader.current(copy, in: database) }
    }

    package func step<Outcome: Sendable>(
        on copy: FederationMachine,
        decide: @escaping @Sendable (FederationMachine) -> (step: FederationStep, outcome: Outcome)
    ) async throws(StoreError) -> Outcome {
        try await run(on: writing) { () throws(StoreError) in
            let (step, outcome) = try self.writeIfChanged { database in
                let (step, outcome) = decide(try FederationReader.current(copy, in: database))
                guard !step.changes.isEmpty else { return ((step, outcome), false) }
                let writer = try FederationWriter(moving: step.machine, in: database)
                for change in step.changes { try writer.store(change) }
                try self.publications.require(step.changes.recordedBlobs, in: self.directory)
                if let lease = step.spending { try self.leases.spend(lease) }
                return ((step, outcome), true)
            } undo: { (step, _) in
                if let lease = step.spending { self.leases.unspend(lease) }
            }
            guard !step.changes.isEmpty else { return outcome }
            if let lease = step.spending { self.leases.end(lease) }
            for digest in step.changes.recordedBlobs { self.publications.end(digest) }
            for number in step.changes.roundsWithoutParts {
                self.endSharing(of: number, in: step.machine.settings.id)
            }
            self.feed.yield(StoredStep(federation: step.machine.settings.id, revision: step.machine.revision))
            return outcome
        }
    }

    package func discard(_ federation: FederationID) async throws(StoreError) {
        try await commit { database in
            try database.execute(sql: "DELETE FROM federations WHERE id = ?", arguments: [federation.rawValue])
        }
    }

    package func round(_ number: Int, of federation: FederationID) async throws(StoreError) -> RoundMachine? {
        try await fetch { try FederationReader(federation, in: $0)?.round(number) }
    }

    package func update(
        of client: ClientName, round: Int, in federation: FederationID
    ) async throws(StoreError) -> HeldUpdate? {
        try await fetch { try FederationReader(federation, in: $0)?.update(of: client, round: round) }
    }

    package func rounds(
        before: Int, limit: Int, of federation: FederationID
    ) async throws(StoreError) -> [ListedRound] {
        try await fetch { try FederationReader(federation, in: $0)?.rounds(before: before, limit: limit) ?? [] }
    }

    package func evaluation(
        ofRound round: Int, of federation: FederationID
    ) async throws(StoreError) -> EvaluationRound? {
        try await fetch { try FederationReader(federation, in: $0)?.evaluation(ofRound: round) }
    }

    package func evaluations(
        ofRounds rounds: ClosedRange<Int>, of federation: FederationID
    ) async throws(StoreError) -> [ListedEvaluation] {
        try await fetch { try FederationReader(federation, in: $0)?.evaluations(ofRounds: rounds) ?? [] }
    }

    package func events(
        after id: Int64, limit: Int, of federation: FederationID
    ) async throws(StoreError) -> [StoredEvent] {
        try await fetch { try FederationReader(federation, in: $0)?.events(after: id, limit: limit) ?? [] }
    }

    package func events(
        before id: Int64, limit: Int, of federation: FederationID
    ) async throws(StoreError) -> [StoredEvent] {
        try await fetch { try FederationReader(federation, in: $0)?.events(before: id, limit: limit) ?? [] }
    }

    package func rounds(
        knowing client: ClientName, before: Int, limit: Int, of federation: FederationID
    ) async throws(StoreError) -> [ClientRound] {
        try await fetch {
            try FederationReader(federation, in: $0)?.rounds(knowing: client, before: before, limit: limit) ?? []
        }
    }

    package func list(
        _ digest: ContentDigest, of federation: FederationID
    ) async throws(StoreError) -> ClientList? {
        try await fetch { try FederationReader(federation, in: $0)?.list(digest) }
    }

    package func probe() async throws(StoreError) {
        try await run(on: writing) { () throws(StoreError) in
            guard self.directory.isInPlace else { throw .gone }
            guard !self.directory.isFull else { throw .full }
            try self.write { database in
                try database.execute(
                    sql: """
                        INSERT INTO probes (id, count) VALUES (1, 1) ON CONFLICT DO UPDATE SET count = count + 1
                        """)
            }
        }
    }
}

extension [Change] {
    /// The blobs that these changes begin to refer to.
    fileprivate var recordedBlobs: [ContentDigest] {
        compactMap { if case .update(let update, _) = $0 { update.digest } else { nil } }
    }

    /// The rounds that nobody adds up any more.
    fileprivate var roundsWithoutParts: [Int] {
        compactMap { if case .round(let round) = $0, round.phase != .aggregating { round.number } else { nil } }
    }
}
