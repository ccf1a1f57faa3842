import Federation
import Testing

/// A federation's machine with a clock that tests move, a sampler that they can predict, and clients by short names.
struct MachineUnderTest {
    var machine: FederationMachine
    /// Seconds since the start.
    var seconds = 0.0
    /// When clients called last, in seconds since the start; those not named here count as seen.
    var lastSeen: [String: Double] = [:]
    /// Who has left and not called since.
    var absent: Set<String> = []
    /// The changes of the last step.
    private(set) var changes: [Change] = []

    init(_ adjust: (inout FederationSettings) -> Void = { _ in }) throws {
        var settings = try FederationSettings.sample()
        adjust(&settings)
        try settings.validate()
        machine = FederationMachine(settings: settings)
    }

    var now: Timestamp { Timestamp(milliseconds: 1_700_000_000_000).adding(seconds: seconds) }
    var round: RoundMachine? { machine.round }
    /// The lists of clients of the last step.
    var lists: [ClientList] {
        changes.compactMap { if case .list(let list) = $0 { list } else { nil } }
    }

    /// Applies events as one step.
    @discardableResult
    mutating func apply<Success, Failure>(
        _ events: FederationMachine.Event<Success, Failure>...
    ) throws -> [Result<Success, Failure>] {
        var replies: [Result<Success, Failure>] = []
        changes = machine.step(in: try context) { machine, step in
            replies = events.map { machine.handle($0, in: &step) }
        }
        return replies
    }

    private var context: FederationMachine.Context {
        get throws {
            var seen = ClientTable<Seen>()
            for (name, seconds) in lastSeen {
                seen[try ClientName(name)] = Seen(
                    at: Timestamp(milliseconds: 1_700_000_000_000).adding(seconds: seconds))
            }
            for name in absent { seen[try ClientName(name)] = Seen(at: now, isAbsent: true) }
            return .init(now: now, seen: seen, sampler: LastClients())
        }
    }

    @discardableResult
    mutating func register(
        _ names: String...
    ) throws -> [Result<FederationMachine.Registration, RegistrationError>] {
        try names.flatMap { try apply(.registration($0)) }
    }

    @discardableResult
    mutating func send(
        _ names: String..., round: Int
    ) throws -> [Result<Int, FederationMachine.UpdateObjection>] {
        try names.flatMap { try apply(.update(.sample($0), round: round)) }
    }

    /// The state of each client's place in the current round.
    var participations: [String: RoundMachine.Participation.State] {
        Dictionary(uniqueKeysWithValues: (round?.participations ?? [:]).map { ($0.key.rawValue, $0.value.state) })
    }

    /// The details of what the last step put into the audit log under one kind.
    func details(_ kind: String) -> [String] {
        changes.compactMap { change in
            if case .event(let event) = change, event.kind == kind { event.detail } else { nil }
        }
    }

    /// What the last step put into the audit log.
    var events: [String] {
        changes.compactMap { change in
            if case .event(let event) = change { event.kind } else { nil }
        }
    }
}

/// Draws the first of the candidates and the last ones, which no simple cut of the list would.
struct LastClients: ClientSampler {
    func sample(
        _ count: Int, of candidates: [Candidate], by preference: RoundPolicy.Preference, seed: UInt64, round: Int
    ) -> [ClientName] {
        (candidates.suffix(count - 1) + candidates.prefix(1)).map(\.client).sorted()
    }

    /// Not SHA-256, but texts that tests tell apart have other digests.
    func digest(of text: String) -> ContentDigest {
        var bytes = [UInt8](repeating: 0, count: 32)
        for (index, byte) in text.utf8.enumerated() { bytes[index % 32] = bytes[index % 32] &* 31 &+ byte }
        guard let digest = ContentDigest(bytes: bytes) else { preconditionFailure("there are 32") }
        return digest
    }
}

extension FederationMachine.Event {
    static func registration(
        _ name: String, rank: Int = 8, token: UInt8 = 1, capabilities: String = "{}"
    ) throws -> Self where Success == FederationMachine.Registration, Failure == RegistrationError {
        .register(
            name: try ClientName(name), rank: rank, token: try .repeating(token),
            capabilities: Capabilities(text: capabilities))
    }

    static func refusal(_ name: String, _ code: String = "update.shape", round: Int) throws -> Self
    where Success == Void, Failure == Never {
        .refused(
            Refusal(client: try ClientName(name), at: Timestamp(milliseconds: 0), code: code, detail: "8×65"),
            round: round)
    }

    static func aggregation(of round: Int) throws -> Self where Success == Void, Failure == Never {
        .aggregated(try .sample(), round: round)
    }
}

extension Capabilities {
    /// Of which the server reads nothing.
    init(text: String) { self.init(text: text) { _ in throw CancellationError() } }
}

extension PublishedAdapter {
    static func sample() throws -> PublishedAdapter {
        PublishedAdapter(digest: try .repeating(9), byteCount: 4, ranks: ["fc1": 8])
    }
}

extension ContentDigest {
    static func repeating(_ byte: UInt8) throws -> ContentDigest {
        try #require(ContentDigest(bytes: [UInt8](repeating: byte, count: 32)))
    }
}

extension Update {
    static func sample(
        _ client: String, samples: Int = 100, loss: Double? = nil, accuracy: Double? = nil, rank: Int = 8,
        ranks: [String: Int]? = nil, norm: Double? = nil, factorSizes: FactorSizes? = nil
    ) throws -> Update {
        Update(
            client: try ClientName(client), digest: try .repeating(7), byteCount: 10, rank: rank, samples: samples,
            metrics: Metrics(loss: loss, accuracy: accuracy), receivedAt: Timestamp(milliseconds: 0),
            ranks: ranks, norm: norm, factorSizes: factorSizes)
    }
}

extension FederationSettings {
    /// Three rounds of at least two updates from everybody, abandoned after 100 seconds.
    static func sample() throws -> FederationSettings {
        FederationSettings(
            id: try FederationID("digits"), baseModel: .init(name: "mlp", seed: 7, sha256: nil),
            adapter: .init(
                maximumRank: 60, scaling: .constant(1), elementType: .float32,
                modules: [
                    "fc1": .init(kind: .linear, inputs: 64, outputs: 200, maximumRank: nil, bias: false),
                    "fc2": .init(kind: .linear, inputs: 200, outputs: 200, maximumRank: 160, bias: false),
                ],
                dense: [:]),
            strategy: .init(name: "rbla", weighting: "samples"),
            policy: RoundPolicy(
                total: 3, minimumClients: 2, minimumUpdates: 2, targetUpdates: nil, deadlineSeconds: 100,
                onMissedQuorum: .abandon, selection: .fraction(1), overSelection: 0, seenSeconds: 50),
            limits: .init(clients: 5, samples: 1000), training: "{}", seed: 7)
    }
}
