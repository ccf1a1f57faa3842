import Federation
import Testing

@Suite struct TakingBackTests {
    private func name(_ text: String) throws -> ClientName { try ClientName(text) }

    @Test func `a revoked client's update is taken back while the round collects, and on record`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b", "c")
        try subject.send("a", "b", round: 1)
        try subject.apply(.revoke(name("a")))
        #expect(try subject.apply(.takeBack(name("a"), round: 1))[0].isDone)
        let reason = "the admin took \(try ContentDigest.repeating(7)) back"
        #expect(subject.round?.updates[try name("a")]?.status == .takenBack(reason: reason))
        #expect(subject.details("update.taken_back") == [reason])
        #expect(subject.round?.decisions.last?.kind == "update.taken_back")
        #expect(subject.participations["a"] == .left)
        #expect(subject.round?.receivedCount == 1 && subject.round?.acceptedCount == 1)
        try subject.send("c", round: 1)
        #expect(subject.round?.accepted.map(\.client.rawValue) == ["b", "c"])
    }

    @Test func `a client that was not revoked may send another, and is not waited for`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b", "c")
        try subject.send("a", "b", round: 1)
        try subject.apply(.takeBack(name("a"), round: 1))
        #expect(subject.participations["a"] == .declined)
        #expect(try subject.apply(.takeBack(name("a"), round: 1))[0].roundError == .noUpdate(round: 1))
        #expect(try subject.send("a", round: 1).map(\.count) == [2])
        #expect(subject.round?.updates[try name("a")]?.status == .accepted)
    }

    @Test func `what no collecting round holds cannot be taken back`() throws {
        var subject = try MachineUnderTest()
        #expect(try subject.apply(.takeBack(name("a"), round: 1))[0].roundError == .unknown(round: 1, current: 0))
        try subject.register("a", "b")
        #expect(try subject.apply(.takeBack(name("a"), round: 1))[0].roundError == .noUpdate(round: 1))
        try subject.send("a", "b", round: 1)
        #expect(try subject.apply(.takeBack(name("a"), round: 1))[0].roundError == .closed(round: 1, current: 1))
        #expect(try subject.apply(.takeBack(name("a"), round: 2))[0].roundError == .unknown(round: 2, current: 1))
        #expect(subject.changes.isEmpty)
    }

    @Test func `who registers and leaves under ever new names is stopped by the limit`() throws {
        var subject = try MachineUnderTest { $0.limits.clients = 3 }
        for index in 0..<3 {
            try subject.register("c\(index)")
            try subject.apply(.revoke(name("c\(index)"), byItself: true))
        }
        #expect(try subject.register("d")[0].registrationError == .full(limit: 3))
        try subject.apply(.revoke(name("c0"), byItself: true))
        #expect(subject.changes.isEmpty)
        // The admin makes room.
        try subject.apply(.revoke(name("c0")))
        #expect(subject.details("client.revoked") == ["had left by itself"])
        #expect(try subject.register("d")[0].registrationError == nil)
        #expect(try subject.register("e")[0].registrationError == .full(limit: 3))
    }

    @Test func `means of samples that no Int holds do not end the process`() throws {
        var subject = try MachineUnderTest {
            $0.policy.selection = .count(2)
            $0.policy.preference = .samples
            $0.policy.minimumClients = 3
        }
        // As a version before the limit may have stored it.
        subject.machine = FederationMachine(settings: subject.machine.settings)
        try subject.register("a", "b", "c")
        for name in ["a", "c"] {
            try subject.apply(.update(.sample(name, samples: .max), round: 1))
        }
        try subject.apply(.aggregation(of: 1))
        #expect(subject.round?.number == 2)
    }

    @Test func `metrics from before they were bounded do not make a round unreadable`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b", "c")
        for (name, loss) in [("a", 1e308), ("b", 1e308), ("c", 2)] {
            try subject.apply(
                .update(.sample(name, loss: loss, accuracy: 0.5), round: 1))
        }
        #expect(subject.round?.metrics == Metrics(loss: 2, accuracy: 0.5))
        #expect(Metrics(loss: 1e12, accuracy: -1e12).objection == nil)
        #expect(
            Metrics(loss: 1.1e12).objection
                == "loss is 1100000000000.0; expected a number from -1000000000000.0 to 1000000000000.0")
        #expect(Metrics(accuracy: .nan).objection?.hasPrefix("accuracy is nan; ") == true)
    }
}
