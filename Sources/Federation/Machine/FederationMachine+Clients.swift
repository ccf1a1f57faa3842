/// Registration, revocation and return of clients.
extension FederationMachine {
    mutating func register(
        _ name: ClientName, rank: Int, token: ContentDigest, capabilities: Capabilities, enrolment: String?,
        in step: inout Step
    ) throws(RegistrationError) -> Registration {
        guard rank >= 1 else { throw .badRank(found: rank) }
        let granted = min(rank, settings.adapter.maximumRank)
        if var known = clients[name] {
            guard known.token.matches(token) else { throw .nameTaken(name) }
            guard known.revokedAt == nil else { throw .revoked(name) }
            guard known.capabilities.region == capabilities.region else {
                throw .region(reason: "whether \(name) is a region, and of how many clients, cannot change any more")
            }
            if known.rank != granted || known.capabilities != capabilities {
                let earlierRank = known.rank
                known.rank = granted
                known.capabilities = capabilities
                known.lastSeenAt = step.now
                clients[name] = known
                step.changes.append(.client(known))
                noteChange(of: known, in: &step)
                changePlan(of: name, earlierRank: earlierRank, in: &step)
            }
            return Registration(client: known, isNew: false)
        }
        guard state != .finished else { throw .finished }
        guard state != .draft else { throw .draft }
        try check(capabilities.region, admittedBy: enrolment)
        let further = placesOfRegions + (capabilities.region?.clients ?? 1) - 1
        guard clients.tally.places + further < settings.limits.clients else {
            throw .full(limit: settings.limits.clients)
        }
        if let enrolment, let objection = objection(toEnrolmentBy: enrolment, at: step.now) {
            throw objection
        }
        let client = Client(
            name: name, rank: granted, token: token, capabilities: capabilities, registeredAt: step.now,
            lastSeenAt: step.now)
        clients[name] = client
        step.changes.append(.client(client))
        step.record("client.registered", client: name, "rank \(granted)")
        if let enrolment { spend(enrolment, on: name, in: &step) }
        join(name, in: &step)
        return Registration(client: client, isNew: true)
    }

    /// A client must not fill the audit log with changes. The first few in a round are events of their own, and the
    /// round's close counts the rest.
    private mutating func noteChange(of client: Client, in step: inout Step) {
        let count = clientChanges[client.name, default: 0] + 1
        clientChanges[client.name] = count
        step.changes.append(.clientChanges(of: client.name, count))
        guard count <= Self.changeEventsPerRound else { return }
        step.record("client.changed", client: client.name, "rank \(client.rank)")
    }

    /// Records the changes that had no events of their own, and restarts the count.
    mutating func countChanges(in round: RoundMachine, in step: inout Step) {
        let many = clientChanges.filter { $0.value > Self.changeEventsPerRound }.sorted { $0.key < $1.key }
        let texts = many.map { "\($0.key) \($0.value) times, rank \(clients[$0.key]?.rank ?? 0)" }
        record("client.changes", "changed", sentences: texts, round: round.number, in: &step)
        guard !clientChanges.isEmpty else { return }
        clientChanges = [:]
        step.changes.append(.clientChangesCounted)
    }

    private static let changeEventsPerRound = 10

    mutating func revoke(_ name: ClientName, byItself: Bool, in step: inout Step) throws(UnknownClient) {
        guard var client = clients[name] else { throw UnknownClient(client: name) }
        if client.revokedAt != nil {
            guard client.leftByItself, !byItself else { return }
            client.leftByItself = false
            clients[name] = client
            step.changes.append(.client(client))
            step.record("client.revoked", client: name, "had left by itself")
            return
        }
        client.revokedAt = step.now
        client.leftByItself = byItself
        clients[name] = client
        step.changes.append(.client(client))
        step.record("client.revoked", client: name, byItself ? "by itself" : nil)
        leaveEvaluation(name, in: &step)
        if round?.phase == .collecting, round?.participations[name]?.state == .awaited {
            setPlace(of: name, to: .left, in: &step)
            decide("client.left", client: name, "was revoked before it answered", in: &step)
        }
    }

    mutating func letIn(_ arrivals: [ClientName], in step: inout Step) {
        for name in arrivals where step.context.seen[name]?.isAbsent != true { join(name, in: &step) }
    }

    /// Selects a client that comes late, where the policy selects everybody.
    private mutating func join(_ name: ClientName, in step: inout Step) {
        guard let round, round.phase == .collecting, settings.policy.selectsEverybody else { return }
        guard round.participations[name] == nil, let client = clients[name], client.revokedAt == nil else { return }
        setPlace(of: name, to: .awaited, in: &step)
        note(selected: [name], in: round.number)
        step.record("client.selected", round: round.number, client: name, "joined while the round collects")
    }

    /// Notes a plan with a new rank, so that a waiting poll wakes. Updates of the earlier rank still count.
    private mutating func changePlan(of name: ClientName, earlierRank: Int, in step: inout Step) {
        guard var current = round, current.phase == .collecting, current.participations[name]?.state == .awaited else {
            return
        }
        current.changeRank(of: name, from: earlierRank, revision: step.revision)
        round = current
        if let place = current.participations[name] { step.changes.append(.place(name, round: current.number, place)) }
    }

    /// Notes that a client will send nothing in this round. An update that it sends anyway is taken.
    mutating func decline(_ name: ClientName, round number: Int, reason: String, in step: inout Step) throws(RoundError)
    {
        if let objection = objection(to: name, round: number) { throw objection }
        // A buffer needs no particular client. A client that trained by an older plan may continue by the present one.
        guard let current = round, current.number == number else { return }
        guard current.phase == .collecting else { throw .closed(round: number, current: current.number) }
        guard current.participations[name]?.state != .declined else { return }
        round?.decline(name, revision: step.revision)
        if let place = round?.participations[name] { step.changes.append(.place(name, round: number, place)) }
        decide("client.declined", client: name, reason, in: &step)
    }

    /// Takes a client that has ended out of the round that waits for it.
    mutating func leave(_ name: ClientName, reason: String, in step: inout Step) throws(RoundError) {
        leaveEvaluation(name, in: &step)
        guard let current = round, current.phase == .collecting, current.participations[name]?.state == .awaited else {
            return
        }
        try decline(name, round: current.number, reason: reason, in: &step)
    }

    /// Asks clients again that declined and have not left, because the round could not close without them.
    mutating func askDeclined(in step: inout Step) {
        guard let current = round, current.phase == .collecting else { return }
        for (name, place) in current.participations
        where place.state == .declined && clients[name]?.revokedAt == nil && step.context.seen[name]?.isAbsent != true {
            round?.join(name, revision: step.revision)
            if let place = round?.participations[name] {
                step.changes.append(.place(name, round: current.number, place))
            }
        }
    }

    private mutating func setPlace(of name: ClientName, to state: RoundMachine.Participation.State, in step: inout Step)
    {
        guard let number = round?.number else { return }
        switch state {
        case .left: round?.leave(name, revision: step.revision)
        case .declined: round?.decline(name, revision: step.revision)
        case .awaited, .answered, .cut: round?.join(name, revision: step.revision)
        }
        step.changes.append(.place(name, round: number, .init(state: state, revision: step.revision)))
    }
}
