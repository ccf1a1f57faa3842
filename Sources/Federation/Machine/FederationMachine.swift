/// The state of a federation, with its clients and its current round, as a value that performs no effects.
///
/// It takes events and returns replies and changes. The caller stores the changes in one transaction and only then
/// keeps the new value, so a failed write leaves the federation as it was.
package struct FederationMachine: Sendable {
    package internal(set) var settings: FederationSettings
    package internal(set) var state: FederationState
    package internal(set) var clients: ClientTable<Client>
    /// All tokens by id, including those that expired or have no uses left.
    package internal(set) var tokens: [String: IssuedToken]
    /// The current round or the last one; nil until round 1 opens.
    package internal(set) var round: RoundMachine?
    /// The last round that published an adapter; 0 is the initial adapter.
    package internal(set) var publishedRound: Int
    /// Increases by one with every stored step.
    package internal(set) var revision: Int64
    /// The revision of the last change that affects every client's plan.
    package internal(set) var planRevision: Int64
    /// The number of changes that each client made to its claims since a round closed last.
    package internal(set) var clientChanges: [ClientName: Int]
    /// The newest evaluation, which may have ended; nil before the first one.
    package internal(set) var evaluation: EvaluationRound?

    package init(
        settings: FederationSettings, state: FederationState? = nil, clients: ClientTable<Client> = [:],
        round: RoundMachine? = nil, publishedRound: Int = 0, revision: Int64 = 1, planRevision: Int64 = 1,
        tokens: [IssuedToken] = [], clientChanges: [ClientName: Int] = [:], evaluation: EvaluationRound? = nil
    ) {
        self.settings = settings
        self.state = state ?? (settings.adapter.isDraft ? .draft : .waiting)
        self.clients = clients
        self.round = round
        self.publishedRound = publishedRound
        self.revision = revision
        self.planRevision = planRevision
        self.tokens = Dictionary(tokens.map { ($0.id, $0) }) { _, last in last }
        self.clientChanges = clientChanges
        self.evaluation = evaluation
    }

    /// The outside facts on which the machine's decisions depend.
    package struct Context: Sendable {
        package let now: Timestamp
        /// What is known of each client's calls.
        package let seen: ClientTable<Seen>
        package let sampler: any ClientSampler

        package init(now: Timestamp, seen: ClientTable<Seen>, sampler: any ClientSampler) {
            self.now = now
            self.seen = seen
            self.sampler = sampler
        }
    }

    /// Applies events in order as one step. If anything changed, the revision increases.
    ///
    /// - Parameter body: handles each event.
    /// - Returns: the changes that must be stored before the new value is valid; empty where nothing changed.
    package mutating func step(
        in context: Context, _ body: (inout FederationMachine, inout Step) -> Void
    ) -> [Change] {
        var step = Step(context: context, revision: revision + 1)
        body(&self, &step)
        guard !step.changes.isEmpty else { return [] }
        revision = step.revision
        if step.concernsEveryPlan { planRevision = step.revision }
        return step.changes
    }

    /// Applies one event within a step, and then does what is due.
    package mutating func handle<Success, Failure>(
        _ event: Event<Success, Failure>, in step: inout Step
    ) -> Result<Success, Failure> {
        let reply: Result<Success, Failure>
        do throws(Failure) { reply = .success(try event.apply(&self, &step)) } catch { reply = .failure(error) }
        advance(in: &step)
        return reply
    }

    /// Applies one event as a step of its own.
    package mutating func apply<Success, Failure>(
        _ event: Event<Success, Failure>, in context: Context
    ) -> (reply: Result<Success, Failure>, changes: [Change]) {
        var reply: Result<Success, Failure>?
        let changes = step(in: context) { reply = $0.handle(event, in: &$1) }
        guard let reply else { preconditionFailure("a step runs its body") }
        return (reply, changes)
    }

    /// A step being built.
    package struct Step {
        let context: Context
        let revision: Int64
        var changes: [Change] = []
        var concernsEveryPlan = false

        var now: Timestamp { context.now }

        mutating func record(_ kind: String, round: Int? = nil, client: ClientName? = nil, _ detail: String? = nil) {
            changes.append(.event(AuditEvent(at: now, kind: kind, round: round, client: client, detail: detail)))
        }
    }
}

extension FederationMachine {
    /// The highest rank that an update of `client` may have in the current round: its present rank, or a higher one
    /// from an earlier plan of the round.
    package func grantedRank(of client: Client) -> Int {
        max(client.rank, round?.participations[client.name]?.rank ?? 0)
    }

    /// The revision of the last change to the plan of `client`.
    package func planRevision(of client: ClientName) -> Int64 {
        max(planRevision, round?.participations[client]?.revision ?? 0, evaluation?.places[client]?.revision ?? 0)
    }
}

extension FederationMachine {
    /// Whether a call of `client` could add it to the current round or let the next round open.
    package func maySelect(_ client: ClientName) -> Bool {
        guard let known = clients[client], known.revokedAt == nil else { return false }
        guard let round, round.phase == .collecting else { return awaitsRound }
        return settings.policy.selectsEverybody && round.participations[client] == nil
    }

    /// Whether time alone may change something now.
    package func isDue(at now: Timestamp) -> Bool {
        if let evaluation, evaluation.isOpen, now >= evaluation.deadline { return true }
        if let round, round.phase == .collecting { return now >= round.deadline }
        return awaitsRound
    }

    /// Whether the federation would open a round if enough clients were there.
    private var awaitsRound: Bool {
        // The root opens a region's rounds.
        guard settings.upstream == nil, state == .waiting || state == .running else { return false }
        // After the last round, it only waits for the last evaluation.
        if evaluation?.isOpen == true, (round?.number ?? 0) >= settings.policy.total { return false }
        return round?.phase != .aggregating
    }
}
