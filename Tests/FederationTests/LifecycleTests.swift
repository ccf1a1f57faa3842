import Federation
import Testing

@Suite struct LifecycleTests {
    @Test func `a paused federation ends its round and opens no other until it runs again`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        try subject.apply(.setState(.paused))
        #expect(subject.events == ["federation.paused"])
        #expect(try subject.send("a", "b", round: 1).map(\.count) == [1, 2])
        try subject.apply(.aggregation(of: 1), .tick(arrivals: []))
        #expect(subject.machine.state == .paused)
        #expect(subject.machine.publishedRound == 1)
        #expect(subject.round?.number == 1)
        try subject.apply(.setState(.running))
        #expect(subject.machine.state == .running)
        #expect(subject.round?.number == 2)
        #expect(subject.events == ["federation.running", "round.opened", "round.selected"])
    }

    @Test func `a federation paused before its first round waits again when it resumes`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a")
        try subject.apply(.setState(.paused))
        try subject.register("b")
        #expect(subject.round == nil)
        try subject.apply(.revoke(try ClientName("b")))
        try subject.apply(.setState(.running))
        #expect(subject.machine.state == .waiting)
        try subject.register("c")
        #expect(subject.machine.state == .running)
    }

    @Test func `finishing fails the round that collects`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        try subject.send("a", round: 1)
        try subject.apply(.setState(.finished))
        #expect(subject.machine.state == .finished)
        #expect(subject.round?.phase == .failed(reason: "the federation was finished"))
        #expect(subject.events == ["round.failed", "federation.finished"])
        try subject.apply(.tick(arrivals: []))
        #expect(subject.changes.isEmpty)
    }

    @Test func `finishing lets a round that is being aggregated be published`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        try subject.send("a", "b", round: 1)
        try subject.apply(.setState(.finished))
        #expect(subject.round?.phase == .aggregating)
        try subject.apply(.aggregation(of: 1))
        #expect(subject.machine.publishedRound == 1)
        #expect(subject.machine.state == .finished)
        #expect(subject.round?.number == 1)
    }

    static let refusedChanges: [([FederationState], FederationState)] = [
        ([], .running), ([.paused], .waiting), ([.finished], .running), ([.finished], .paused),
        ([.finished], .waiting),
    ]

    @Test(arguments: refusedChanges)
    func `a state that cannot follow is refused`(_ before: [FederationState], _ wanted: FederationState) throws {
        var subject = try MachineUnderTest()
        for state in before { try subject.apply(.setState(state)) }
        let state = subject.machine.state
        let reply = try subject.apply(.setState(wanted))[0]
        #expect(reply.lifecycleError == .cannotChange(from: state, to: wanted))
        #expect(subject.machine.state == state)
        #expect(subject.changes.isEmpty)
    }

    @Test func `a running federation does not go back to waiting`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        let reply = try subject.apply(.setState(.waiting))[0]
        #expect(reply.lifecycleError == .cannotChange(from: .running, to: .waiting))
    }

    @Test(arguments: FederationState.allCases.filter { $0 != .draft })
    func `the state that a federation has is no change`(_ state: FederationState) throws {
        var subject = try MachineUnderTest()
        if state == .running { try subject.register("a", "b") } else { try subject.apply(.setState(state)) }
        try subject.apply(.setState(state))
        #expect(subject.machine.state == state)
        #expect(subject.changes.isEmpty)
    }

    @Test func `a federation finishes after its last round`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        for round in 1...3 {
            #expect(subject.round?.number == round)
            try subject.send("a", "b", round: round)
            try subject.apply(.aggregation(of: round))
        }
        #expect(subject.machine.state == .finished)
        #expect(subject.machine.publishedRound == 3)
        #expect(subject.round?.number == 3)
        #expect(subject.events == ["round.published", "federation.finished"])
        try subject.apply(.tick(arrivals: []))
        #expect(subject.changes.isEmpty)
    }

    @Test func `failed rounds count among those that a federation runs`() throws {
        var subject = try MachineUnderTest { $0.policy.total = 2 }
        try subject.register("a", "b")
        try subject.apply(.aggregationFailed(reason: "x", round: 1), .aggregationFailed(reason: "y", round: 2))
        #expect(subject.machine.state == .finished)
        #expect(subject.machine.publishedRound == 0)
    }

    @Test func `a new policy holds from the next round on`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b", "c")
        let deadline = subject.round?.deadline
        var policy = subject.machine.settings.policy
        policy.deadlineSeconds = 7
        policy.targetUpdates = 2
        try subject.apply(.setPolicy(policy))
        #expect(subject.round?.deadline == deadline)
        #expect(subject.events == ["federation.changed"])
        try subject.send("a", "b", "c", round: 1)
        try subject.apply(.aggregation(of: 1))
        #expect(subject.round?.deadline == subject.now.adding(seconds: 7))
        #expect(subject.round?.targetUpdates == 2)
    }

    @Test func `a policy that cannot be is refused by its path and changes nothing`() throws {
        var subject = try MachineUnderTest()
        let before = subject.machine.settings
        var policy = before.policy
        policy.minimumUpdates = 0
        guard case .settings(let error) = try subject.apply(.setPolicy(policy))[0].lifecycleError else {
            Issue.record("expected a settings error")
            return
        }
        #expect(error.path == "round.min_updates")
        #expect(subject.machine.settings == before)
        #expect(subject.changes.isEmpty)
    }

    @Test func `each step that changes something has the next revision`() throws {
        var subject = try MachineUnderTest()
        #expect(subject.machine.revision == 1)
        try subject.apply(.registration("a"), .registration("b"), .registration("c"))
        #expect(subject.machine.revision == 2)
        #expect(subject.machine.planRevision == 2)
        try subject.apply(.tick(arrivals: []))
        #expect(subject.machine.revision == 2)
        try subject.send("a", round: 1)
        #expect(subject.machine.revision == 3)
        #expect(subject.machine.planRevision == 2)
        #expect(subject.machine.planRevision(of: try ClientName("a")) == 3)
    }

    @Test func `a step that is thrown away leaves the federation as it was`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        let before = subject.machine
        var discarded = subject
        try discarded.send("a", "b", round: 1)
        try discarded.apply(.aggregation(of: 1))
        #expect(discarded.machine.revision > before.revision)
        #expect(subject.machine.revision == before.revision)
        #expect(subject.participations == ["a": .awaited, "b": .awaited])
        #expect(subject.round?.updates.isEmpty == true)
        #expect(subject.machine.publishedRound == 0)
        #expect(try subject.send("a", round: 1).map(\.count) == [1])
    }
}
