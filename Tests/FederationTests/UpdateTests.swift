import Federation
import Testing

@Suite struct UpdateTests {
    @Test func `an accepted update comes with its place, at the step's revision`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        try subject.send("a", round: 1)
        let place = RoundMachine.Participation(state: .answered, revision: subject.machine.revision)
        #expect(subject.round?.participations[try ClientName("a")] == place)
        #expect(subject.round?.updates == [try ClientName("a"): try .sample("a")])
        let stored = subject.changes.compactMap { change in
            if case .update(let update, round: 1) = change { update } else { nil }
        }
        #expect(stored == [try .sample("a")])
    }

    @Test func `a second update is refused and the first stays`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        try subject.send("a", round: 1)
        let other = try Update.sample("a", samples: 5)
        let reply = try subject.apply(.update(other, round: 1))[0]
        #expect(reply.roundError == .updateExists(round: 1))
        #expect(subject.changes.isEmpty)
        #expect(subject.round?.updates.values.map(\.samples) == [100])
    }

    @Test func `an update for a past round names the current one`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        try subject.send("a", "b", round: 1)
        try subject.apply(.aggregation(of: 1))
        #expect(try subject.send("a", round: 1)[0].roundError == .closed(round: 1, current: 2))
    }

    @Test func `an update for a round that is not open yet is refused`() throws {
        var subject = try MachineUnderTest()
        #expect(try subject.send("a", round: 1)[0].roundError == .unknown(round: 1, current: 0))
        try subject.register("a", "b")
        #expect(try subject.send("a", round: 2)[0].roundError == .unknown(round: 2, current: 1))
    }

    @Test func `a client that is not selected is refused`() throws {
        var subject = try MachineUnderTest { $0.policy.selection = .count(2) }
        try subject.register("a", "b", "c")
        #expect(try subject.send("c", round: 1)[0].roundError == .notSelected(round: 1))
        #expect(try subject.send("nobody", round: 1)[0].roundError == .notSelected(round: 1))
    }

    @Test func `a client that left is refused`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        try subject.apply(.revoke(try ClientName("a")))
        #expect(try subject.send("a", round: 1)[0].roundError == .notSelected(round: 1))
    }

    @Test func `the objection can be asked before anything is sent`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        let client = try ClientName("a")
        #expect(subject.machine.objection(to: client, round: 1) == nil)
        #expect(subject.machine.objection(to: client, round: 0) == .closed(round: 0, current: 1))
        try subject.send("a", round: 1)
        #expect(subject.machine.objection(to: client, round: 1) == .updateExists(round: 1))
    }

    @Test func `a refused update is on record and keeps its client's place awaited`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        try subject.apply(.refusal("a", round: 1))
        #expect(subject.participations["a"] == .awaited)
        #expect(subject.round?.refusals.map(\.code) == ["update.shape"])
        #expect(subject.events == ["update.refused"])
        #expect(try subject.send("a", round: 1).map(\.count) == [1])
        #expect(subject.round?.refusals.count == 1)
    }

    @Test func `a round shows one refusal per client and code, the latest last`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        try subject.apply(.refusal("a", "update.shape", round: 1), .refusal("a", "update.rank", round: 1))
        try subject.apply(.refusal("b", "update.shape", round: 1), .refusal("a", "update.shape", round: 1))
        let shown = subject.round?.refusals.map { "\($0.client) \($0.code)" }
        #expect(shown == ["a update.rank", "b update.shape", "a update.shape"])
    }

    @Test func `refusals that repeat are counted too where the federation is finished over them`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        for _ in 1...3 { try subject.apply(.refusal("a", round: 1)) }
        try subject.apply(.setState(.finished))
        #expect(subject.events == ["round.failed", "round.refusals", "federation.finished"])
        #expect(subject.details("round.refusals") == ["refused, part 1 of 1: a update.shape 3 times"])
    }

    @Test func `refusals that repeat are counted, and the audit log has them twice at most`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        var events: [String] = []
        for _ in 0..<7 {
            try subject.apply(.refusal("a", round: 1))
            events += subject.events
        }
        #expect(events == ["update.refused"])
        #expect(subject.round?.refusals.map(\.count) == [7])
        let stored = subject.changes.compactMap {
            if case .refusal(let shown, round: 1) = $0 { shown.count } else { nil }
        }
        #expect(stored == [7])
        try subject.apply(.refusal("b", round: 1))
        try subject.send("a", "b", round: 1)
        #expect(subject.events == ["update.accepted", "round.closed", "round.refusals"])
        #expect(subject.details("round.refusals") == ["refused, part 1 of 1: a update.shape 7 times"])
    }

    @Test func `a refusal for a round that closed meanwhile leaves nothing`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        try subject.send("a", "b", round: 1)
        try subject.apply(.refusal("a", round: 1))
        #expect(subject.round?.refusals.isEmpty == true)
        #expect(subject.changes.isEmpty)
    }

    @Test func `a round's metrics are means weighted by samples, of those that were measured`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b", "c")
        #expect(subject.round?.metrics == Metrics())
        let updates: [Update] = [
            try .sample("a", samples: 100, loss: 1, accuracy: 0.5), try .sample("b", samples: 300, loss: 3),
            try .sample("c", samples: 50),
        ]
        for update in updates { try subject.apply(.update(update, round: 1)) }
        #expect(subject.round?.metrics == Metrics(loss: 2.5, accuracy: 0.5))
    }

    @Test func `updates without samples weigh nothing`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        let update = try Update.sample("a", samples: 0, loss: 1)
        try subject.apply(.update(update, round: 1))
        #expect(subject.round?.metrics == Metrics())
    }
}
