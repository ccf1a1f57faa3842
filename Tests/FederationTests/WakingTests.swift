import Federation
import Testing

/// When the coordinator has to step: after a call of a client, and as time passes.
@Suite struct WakingTests {
    @Test func `a client's call matters while a round is wanted or takes late-comers`() throws {
        var subject = try MachineUnderTest { $0.policy.minimumClients = 3 }
        try subject.register("a", "b")
        let (a, c) = (try ClientName("a"), try ClientName("c"))
        #expect(subject.machine.maySelect(a))
        #expect(!subject.machine.maySelect(c))
        subject.lastSeen = ["b": -60]
        try subject.register("c")
        #expect(subject.participations.keys.sorted() == ["a", "c"])
        #expect(!subject.machine.maySelect(a))
        #expect(subject.machine.maySelect(try ClientName("b")))
        try subject.send("a", "c", round: 1)
        #expect(!subject.machine.maySelect(try ClientName("b")))
        try subject.apply(.revoke(c))
        #expect(!subject.machine.maySelect(c))
    }

    @Test func `a call does not matter where some are selected, or when the federation is paused`() throws {
        var subject = try MachineUnderTest { $0.policy.selection = .count(2) }
        try subject.register("a", "b", "c")
        let c = try ClientName("c")
        #expect(!subject.machine.maySelect(c))
        try subject.apply(.setState(.paused))
        try subject.send("a", "b", round: 1)
        try subject.apply(.aggregation(of: 1))
        #expect(!subject.machine.maySelect(c))
        subject.lastSeen = ["a": -60, "b": -60]
        try subject.apply(.setState(.running))
        #expect(subject.round?.number == 1)
        #expect(subject.machine.maySelect(c))
    }

    @Test func `whatever a call can change, maySelect says so`() throws {
        for selection in [RoundPolicy.Selection.fraction(1), .count(2)] {
            var subject = try MachineUnderTest { $0.policy.selection = selection }
            subject.lastSeen = ["c": -60]
            let steps: [(inout MachineUnderTest) throws -> Void] = [
                { try $0.register("a") }, { try $0.register("c") }, { try $0.register("b") },
                { try $0.send("a", round: 1) }, { try $0.send("b", round: 1) },
                { subject in
                    subject.lastSeen = ["a": -60, "b": -60, "c": -60]
                    try subject.apply(.aggregation(of: 1))
                },
                { try $0.apply(.setState(.paused)) }, { try $0.apply(.setState(.finished)) },
            ]
            for step in steps {
                try step(&subject)
                for name in ["a", "b", "c"] {
                    var calling = subject
                    calling.lastSeen[name] = 0
                    try calling.apply(.tick(arrivals: [try ClientName(name)]))
                    let says = subject.machine.maySelect(try ClientName(name))
                    #expect(calling.changes.isEmpty || says, "\(name) in round \(subject.round?.number ?? 0)")
                }
            }
        }
    }

    @Test func `time matters at a deadline and while a round is wanted`() throws {
        var subject = try MachineUnderTest()
        #expect(subject.machine.isDue(at: subject.now))
        try subject.register("a", "b")
        #expect(!subject.machine.isDue(at: subject.now.adding(seconds: 99.999)))
        #expect(subject.machine.isDue(at: subject.now.adding(seconds: 100)))
        try subject.send("a", "b", round: 1)
        #expect(!subject.machine.isDue(at: subject.now.adding(seconds: 1000)))
        try subject.apply(.setState(.finished))
        try subject.apply(.aggregation(of: 1))
        #expect(!subject.machine.isDue(at: subject.now.adding(seconds: 1000)))
    }
}
