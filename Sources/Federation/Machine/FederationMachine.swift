/// A federation in motion: its clients, its current round and what may happen next, as a value without effects.
///
/// Events go in and replies and changes come out. The caller stores the changes in one transaction and only then keeps
/// the new value, so a failed write leaves the federation as it was.
package struct FederationMachine: Sendable {
    package internal(set) var settings: FederationSettings
    package internal(set) var state: FederationState
    package internal(set) var clients: ClientTable
    /// By their ids, those that expired or are spent among them.
    package internal(set) var tokens: [String: IssuedToken]
    /// The current round, or the last one; `nil` until round 1 opens.
    package internal(set) var round: RoundMachine?
    /// The last round that published an adapter; 0 is the initial adapter.
    package internal(set) var publishedRound: Int
    /// Grows by one with every stored change.
    package internal(set) var revision: Int64
    /// The revision of the last change that concerns every client's plan.
    package internal(set) var planRevision: Int64
    /// How often clients have changed what they advertise since the round opened; forgotten at a restart.
    var clientChanges: [ClientName: Int] = [:]

    package init(
        settings: FederationSettings, state: FederationState? = nil, clients: ClientTable = [:],
        round: RoundMachine? = nil, publishedRound: Int = 0, revision: Int64 = 1, planRevision: Int64 = 1,
        tokens: [IssuedToken] = []
    ) {
        self.settings = settings
        self.state = state ?? (settings.adapter.isDraft ? .draft : .waiting)
        self.clients = clients
        self.round = round
        self.publishedRound = publishedRound
        self.revision = revision
        self.planRevision = planRevision
        self.tokens = Dictionary(tokens.map { ($0.id, $0) }) { _, last in last }
    }

    /// What happened outside.
    package enum Event: Sendable {
        /// `enrolment` is the id of the token that lets a new client in; without one, the admin does.
        case register(
            name: ClientName, rank: Int, token: ContentDigest, capabilities: String, enrolment: String? = nil)
        /// `byItself` where the client asked for it.
        case revoke(ClientName, byItself: Bool = false)
        case issue(IssuedToken)
        /// Withdraws the token with this id.
        case withdraw(String)
        /// An update that was checked, with the file that holds its bytes.
        ///
        /// `adopting` are the keys of its configuration that are to travel with the adapter.
        case update(Update, round: Int, spool: SpoolFile, adopting: [String: String] = [:])
        case refused(Refusal, round: Int)
        /// The admin takes back a client's update that this round holds.
        case takeBack(ClientName, round: Int)
        /// A client will send nothing in this round, for this reason.
        case decline(ClientName, round: Int, reason: String)
        /// A client has ended for this reason, and calls no more until somebody starts it again.
        case leave(ClientName, reason: String)
        case aggregated(PublishedAdapter, round: Int)
        case aggregationFailed(reason: String, round: Int)
        /// The bytes of these clients' updates can be read no more, for these reasons.
        case lost([ClientName: String], round: Int)
        case setState(FederationState)
        case setPolicy(RoundPolicy)
        /// nil keeps all.
        case setRetention(Retention?)
        /// The template is there: version 0 is stored, and the settings have the template's shape.
        case templated(FederationSettings)
        /// Time has passed, and these clients called that are not in the current round's selection.
        case tick(arrivals: [ClientName])
    }

    package enum Reply: Sendable {
        case done
        case registered(Client, isNew: Bool)
        /// The update counts; the round now holds this many.
        case received(count: Int)
        case round(RoundError)
        case registration(RegistrationError)
        case lifecycle(LifecycleError)
        case token(TokenError)
        /// What the update's configuration says of this key is not what another client's said meanwhile.
        case configuration(key: String)
    }

    /// What the machine needs to know of the world to decide.
    package struct Context: Sendable {
        package let now: Timestamp
        /// When each client was last heard of.
        package let lastSeen: [ClientName: Timestamp]
        /// Who has said since then that it would call no more.
        package let absent: Set<ClientName>
        package let sampler: any ClientSampler

        package init(
            now: Timestamp, lastSeen: [ClientName: Timestamp], absent: Set<ClientName> = [], sampler: any ClientSampler
        ) {
            self.now = now
            self.lastSeen = lastSeen
            self.absent = absent
            self.sampler = sampler
        }
    }

    /// Applies events in order as one step, at the next revision if anything changed.
    package mutating func apply(_ events: [Event], in context: Context) -> (
        replies: [Reply], changes: [Change]
    ) {
        var step = Step(context: context, revision: revision + 1)
        let replies = events.map { event in
            let reply = handle(event, in: &step)
            advance(in: &step)
            return reply
        }
        guard !step.changes.isEmpty else { return (replies, []) }
        revision = step.revision
        if step.concernsEveryPlan { planRevision = step.revision }
        return (replies, step.changes)
    }

    /// One step in the making.
    struct Step {
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
    private mutating func handle(_ event: Event, in step: inout Step) -> Reply {
        switch event {
        case .register(let name, let rank, let token, let capabilities, let enrolment):
            register(name, rank: rank, token: token, capabilities: capabilities, enrolment: enrolment, in: &step)
        case .revoke(let name, let byItself): revoke(name, byItself: byItself, in: &step)
        case .issue(let token): issue(token, in: &step)
        case .withdraw(let id): withdraw(id, in: &step)
        case .update(let update, let number, let spool, let keys):
            accept(update, round: number, spool: spool, adopting: keys, in: &step)
        case .refused(let refusal, let number): refuse(refusal, round: number, in: &step)
        case .takeBack(let name, let number): takeBack(name, round: number, in: &step)
        case .decline(let name, let number, let reason): decline(name, round: number, reason: reason, in: &step)
        case .leave(let name, let reason): leave(name, reason: reason, in: &step)
        case .aggregated(let adapter, let number): publish(adapter, round: number, in: &step)
        case .aggregationFailed(let reason, let number): fail(round: number, reason: reason, in: &step)
        case .lost(let reasons, let number): lose(reasons, round: number, in: &step)
        case .setState(let wanted): change(to: wanted, in: &step)
        case .setPolicy(let policy): change(to: policy, in: &step)
        case .setRetention(let retention): change(to: retention, in: &step)
        case .templated(let settings): take(template: settings, in: &step)
        case .tick(let arrivals): letIn(arrivals, in: &step)
        }
    }

    /// The highest rank that an update of `client` for the current round may have: its own, or the one that an earlier
    /// plan of the round named.
    package func grantedRank(of client: Client) -> Int {
        max(client.rank, round?.participations[client.name]?.rank ?? 0)
    }

    /// The revision of the last change to what `client` should do.
    package func planRevision(of client: ClientName) -> Int64 {
        max(planRevision, round?.participations[client]?.revision ?? 0)
    }
}

extension FederationMachine {
    /// Whether a call of `client` could let it into the current round, or let the next round open.
    package func maySelect(_ client: ClientName) -> Bool {
        guard let known = clients[client], known.revokedAt == nil else { return false }
        guard let round, round.phase == .collecting else { return awaitsRound }
        return settings.policy.selectsEverybody && round.participations[client] == nil
    }

    /// Whether time alone may change something now.
    package func isDue(at now: Timestamp) -> Bool {
        if let round, round.phase == .collecting { return now >= round.deadline }
        return awaitsRound
    }

    /// Whether the federation would open a round if enough clients were there.
    private var awaitsRound: Bool {
        guard state == .waiting || state == .running else { return false }
        return round?.phase != .aggregating
    }
}
