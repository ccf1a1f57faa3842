import Federation
import Testing

@Suite struct CohortTests {
    private func update(_ name: String, rank: Int = 60, ranks: [String: Int]? = nil, norm: Double? = nil) throws
        -> FederationMachine.Event<Int, FederationMachine.UpdateObjection>
    {
        .update(try .sample(name, rank: rank, ranks: ranks, norm: norm), round: 1)
    }

    @Test func `a round does not close while a rank component has too few updates`() throws {
        var subject = try MachineUnderTest {
            $0.policy.minimumCoverage = 1
            $0.policy.onMissedQuorum = .extend
        }
        try subject.register("a", "b", "c")
        try subject.apply(update("a", rank: 30))
        // fc2 alone has its highest components: 160 of 160 beside 59 of 60.
        try subject.apply(update("b", rank: 60, ranks: ["fc1": 59, "fc2": 160]))
        #expect(subject.round?.coverage(in: subject.machine.settings.adapter) == 0)
        subject.seconds = 100
        try subject.apply(.tick(arrivals: []))
        #expect(subject.round?.phase == .collecting)
        #expect(
            subject.details("round.extended") == ["0 of at least 1 update reached every rank component of fc1"])
        try subject.apply(update("c"))
        #expect(subject.round?.phase == .aggregating)
        #expect(subject.round?.coverage(in: subject.machine.settings.adapter) == 1)
    }

    @Test func `a round without coverage is abandoned where the policy says so`() throws {
        var subject = try MachineUnderTest { $0.policy.minimumCoverage = 2 }
        try subject.register("a", "b")
        try subject.apply(update("a"), update("b", rank: 30))
        #expect(subject.round?.phase == .collecting)
        subject.seconds = 100
        try subject.apply(.tick(arrivals: []))
        let reason = "1 of at least 2 updates reached every rank component of fc1"
        #expect(subject.details("round.failed") == [reason])
    }

    @Test func `an update far above the median is left out at the close, with its reason`() throws {
        var subject = try MachineUnderTest { $0.limits.normOverMedian = 2 }
        try subject.register("a", "b", "c", "d")
        try subject.apply(update("d", norm: 30), update("a", norm: 1))
        try subject.apply(update("b", norm: 3))
        #expect(subject.round?.acceptedCount == 3)
        try subject.apply(update("c", norm: 4))
        #expect(subject.round?.phase == .aggregating)
        #expect(subject.round?.accepted.map(\.client.rawValue) == ["a", "b", "c"])
        let reason = "its norm, 30.0, is above 2.0 times the median of the round's updates, 3.5"
        #expect(subject.round?.updates[try ClientName("d")]?.status == .leftOut(reason: reason))
        #expect(subject.events == ["update.accepted", "update.left_out", "round.closed"])
        #expect(subject.details("update.left_out") == [reason])
        let stored = subject.changes.compactMap { if case .status(let update, round: 1) = $0 { update } else { nil } }
        #expect(stored.map(\.client.rawValue) == ["d"])
    }

    @Test(arguments: [
        ([1, 1, 2.0], 0), ([1, 1, 2.001], 1), ([0, 0, 9], 0), ([0, 1, 9], 0), ([5, 5], 0), ([1, 9], 0),
    ])
    func `the limit is the factor times the median, where that is not zero`(_ norms: [Double], _ leftOut: Int) throws {
        var subject = try MachineUnderTest {
            $0.limits.normOverMedian = 2
            $0.policy.minimumClients = norms.count
        }
        let names = ["a", "b", "c"].prefix(norms.count)
        for name in names { try subject.register(name) }
        for (name, norm) in zip(names, norms) { try subject.apply(update(name, norm: norm)) }
        #expect(subject.round?.phase == .aggregating)
        #expect(subject.round?.acceptedCount == norms.count - leftOut)
    }

    @Test func `what the cohort leaves out does not count for coverage but does for the quorum`() throws {
        for coverage in [nil, 1] {
            var subject = try MachineUnderTest {
                $0.limits.normOverMedian = 1
                $0.policy.minimumCoverage = coverage
                $0.policy.minimumUpdates = 3
                $0.policy.minimumClients = 3
            }
            try subject.register("a", "b", "c")
            try subject.apply(
                update("a", rank: 30, norm: 1), update("b", rank: 30, norm: 1), update("c", norm: 2))
            #expect(subject.round?.phase == (coverage == nil ? .aggregating : .collecting))
        }
    }
}
