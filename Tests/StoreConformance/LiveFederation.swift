package import Federation
import Foundation
import Testing

/// A federation whose machine makes its steps through a store, as in the coordinator.
package final class LiveFederation {
    package typealias Machine = FederationMachine

    private let stores: Stores
    package private(set) var machine: Machine
    /// Seconds since the federation was created.
    package var seconds = 0.0

    package init(
        creating id: String = "digits", in stores: Stores, adjust: (inout FederationSettings) -> Void = { _ in }
    ) async throws {
        self.stores = stores
        var settings = try Sample.settings(id)
        adjust(&settings)
        let federation = try Sample.federation(settings)
        try await stores.metadata.create(federation)
        machine = federation.machine
    }

    package init(_ id: String = "digits", loadedFrom stores: Stores) async throws {
        self.stores = stores
        machine = try #require(
            try await stores.metadata.federations().sound.map(\.machine).first { $0.settings.id.rawValue == id })
    }

    convenience init(
        creating id: String = "digits", in store: OpenStore, adjust: (inout FederationSettings) -> Void = { _ in }
    ) async throws {
        try await self.init(creating: id, in: store.stores, adjust: adjust)
    }

    convenience init(_ id: String = "digits", loadedFrom store: OpenStore) async throws {
        try await self.init(id, loadedFrom: store.stores)
    }

    package var id: FederationID { machine.settings.id }

    /// Applies an event as one step and keeps the new value when it is stored. Throws where the machine refuses it.
    @discardableResult
    package func step<Success, Failure>(
        _ event: Machine.Event<Success, Failure>, spending lease: Lease? = nil
    ) async throws -> Success {
        try await reply(to: event, spending: lease).get()
    }

    /// The same, but returns the machine's reply.
    func reply<Success, Failure>(
        to event: Machine.Event<Success, Failure>, spending lease: Lease? = nil
    ) async throws -> Result<Success, Failure> {
        let context = context
        let (machine, reply) = try await stores.metadata.step(on: machine) { basis in
            var next = basis
            let (reply, changes) = next.apply(event, in: context)
            return (FederationStep(machine: next, changes: changes, spending: lease), (next, reply))
        }
        self.machine = machine
        return reply
    }

    /// Applies several events as one step.
    package func steps(
        _ apply: @escaping @Sendable (inout Machine, inout Machine.Step) throws -> Void
    ) async throws {
        let context = context
        let (machine, failure) = try await stores.metadata.step(on: machine) { basis in
            var next = basis
            var failure: (any Error)?
            let changes = next.step(in: context) { machine, step in
                do { try apply(&machine, &step) } catch { failure = error }
            }
            return (FederationStep(machine: next, changes: changes), (next, failure))
        }
        self.machine = machine
        if let failure { throw failure }
    }

    private var context: Machine.Context {
        .init(now: Sample.createdAt.adding(seconds: seconds), seen: [:], sampler: FirstClients())
    }

    package func register(_ names: String...) async throws {
        for name in names {
            try await step(
                .register(
                    name: try ClientName(name), rank: 42, token: Sample.digest("token of \(name)"),
                    capabilities: Sample.capabilities))
        }
    }

    /// Sends `bytes` as a client's update.
    @discardableResult
    package func send(
        _ bytes: String, from name: String, round: Int
    ) async throws -> Int {
        try await publish(bytes)
        return try await step(.update(Sample.update(try ClientName(name), bytes), round: round))
    }

    /// Publishes `bytes` as a blob.
    package func publish(_ bytes: String) async throws {
        try await stores.blobs.publish(try spool(bytes), as: Sample.contentDigest(bytes))
    }

    /// A staged file with `bytes`.
    package func spool(_ bytes: String) throws -> SpoolFile {
        let spool = stores.blobs.stage()
        try Data(bytes.utf8).write(to: URL(fileURLWithPath: spool.path))
        return spool
    }

    /// The bytes of a blob; nil where there is none.
    package func blob(_ bytes: String) throws -> String? {
        guard let file = try stores.blobs.lend(Sample.contentDigest(bytes)) else { return nil }
        return try withExtendedLifetime(file) {
            String(decoding: try Data(contentsOf: URL(fileURLWithPath: file.path)), as: UTF8.self)
        }
    }
}

struct FirstClients: ClientSampler {
    func sample(
        _ count: Int, of candidates: [Candidate], by preference: RoundPolicy.Preference, seed: UInt64, round: Int
    ) -> [ClientName] {
        candidates.prefix(count).map(\.client)
    }

    func digest(of text: String) -> ContentDigest { Sample.contentDigest(text) }
}

/// Compares all data of two machines.
package func expectEqual(_ found: FederationMachine, _ expected: FederationMachine) {
    #expect(found.settings == expected.settings)
    #expect(found.state == expected.state)
    #expect(found.clients == expected.clients)
    #expect(found.tokens == expected.tokens)
    #expect(found.clientChanges == expected.clientChanges)
    #expect(found.publishedRound == expected.publishedRound)
    #expect(found.revision == expected.revision)
    #expect(found.planRevision == expected.planRevision)
    #expect((found.round == nil) == (expected.round == nil))
    if let round = found.round, let other = expected.round { expectEqual(round, other) }
    #expect((found.evaluation == nil) == (expected.evaluation == nil))
    if let evaluation = found.evaluation, let other = expected.evaluation { expectEqual(evaluation, other) }
}

package func expectEqual(_ found: RoundMachine, _ expected: RoundMachine) {
    #expect(found.number == expected.number)
    #expect(found.openedAt == expected.openedAt)
    #expect(found.minimumUpdates == expected.minimumUpdates)
    #expect(found.minimumCoverage == expected.minimumCoverage)
    #expect(found.targetUpdates == expected.targetUpdates)
    #expect(found.phase == expected.phase)
    #expect(found.deadline == expected.deadline)
    #expect(found.closedAt == expected.closedAt)
    #expect(found.participations == expected.participations)
    #expect(found.updates == expected.updates)
    #expect(found.refusals == expected.refusals)
    #expect(found.decisions == expected.decisions)
    #expect(found.hasReopened == expected.hasReopened)
}
