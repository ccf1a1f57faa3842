import Federation
import Foundation
import Testing

/// A federation whose machine is driven through a store as the coordinator does it.
final class LiveFederation {
    let store: any FederationStore
    private(set) var machine: FederationMachine
    /// Seconds since the federation was created.
    var seconds = 0.0

    init(
        creating id: String = "digits", in store: any FederationStore,
        adjust: (inout FederationSettings) -> Void = { _ in }
    ) async throws {
        self.store = store
        var settings = try Sample.settings(id)
        adjust(&settings)
        let federation = try Sample.federation(settings)
        try await store.create(federation)
        machine = federation.machine
    }

    init(_ id: String = "digits", loadedFrom store: any FederationStore) async throws {
        self.store = store
        machine = try #require(
            try await store.federations().sound.map(\.machine).first { $0.settings.id.rawValue == id })
    }

    var id: FederationID { machine.settings.id }

    /// Applies events as one step and keeps the new value once it is stored.
    @discardableResult
    func step(_ events: FederationMachine.Event...) async throws -> [FederationMachine.Reply] {
        var next = machine
        let context = FederationMachine.Context(
            now: Sample.createdAt.adding(seconds: seconds), lastSeen: [:], sampler: FirstClients())
        let (replies, changes) = next.apply(events, in: context)
        try await store.commit(changes, to: next, from: machine.revision)
        machine = next
        return replies
    }

    func register(_ names: String...) async throws {
        for name in names {
            let client = try ClientName(name)
            try await step(
                .register(
                    name: client, rank: 42, token: Sample.digest("token of \(name)"), capabilities: #"{"gpu":false}"#))
        }
    }

    /// Puts `bytes` into the spool and sends them as a client's update.
    @discardableResult
    func send(_ bytes: String, from name: String, round: Int) async throws -> [FederationMachine.Reply] {
        try await step(.update(Sample.update(try ClientName(name), bytes), round: round, spool: spool(bytes)))
    }

    func spool(_ bytes: String) throws -> SpoolFile {
        let spool = store.makeSpoolFile()
        try Data(bytes.utf8).write(to: URL(fileURLWithPath: spool.path))
        return spool
    }

    /// The bytes of a blob; `nil` where there is none.
    func blob(_ bytes: String) -> String? {
        let content = FileManager.default.contents(atPath: store.blobPath(of: Sample.digest(bytes)))
        return content.map { String(decoding: $0, as: UTF8.self) }
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

/// All that a machine holds, for comparison.
func expectEqual(_ found: FederationMachine, _ expected: FederationMachine) {
    #expect(found.settings == expected.settings)
    #expect(found.state == expected.state)
    #expect(found.clients == expected.clients)
    #expect(found.tokens == expected.tokens)
    #expect(found.publishedRound == expected.publishedRound)
    #expect(found.revision == expected.revision)
    #expect(found.planRevision == expected.planRevision)
    #expect((found.round == nil) == (expected.round == nil))
    if let round = found.round, let other = expected.round { expectEqual(round, other) }
}

func expectEqual(_ found: RoundMachine, _ expected: RoundMachine) {
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
