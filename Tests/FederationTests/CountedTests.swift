import Federation
import Testing

/// Counts as people read them.
struct CountedTests {
    @Test(arguments: [(0, "0 updates"), (1, "1 update"), (2, "2 updates"), (-1, "-1 updates")])
    func `one is one of a thing, and any other number is some of them`(count: Int, expected: String) {
        #expect(count.counted("update") == expected)
    }

    @Test func `a round of one client is told of in the singular`() throws {
        var subject = try MachineUnderTest { ($0.policy.minimumClients, $0.policy.minimumUpdates) = (1, 1) }
        try subject.register("a")
        #expect(subject.round?.decisions.map(\.detail) == ["1 of 1 client selected"])
        try subject.apply(.update(.sample("a", samples: 1), round: 1))
        #expect(subject.details("update.accepted").first?.hasSuffix(", 1 sample") == true)
        #expect(subject.details("round.closed") == ["1 update; everybody answered"])
        try subject.apply(.lost([try ClientName("a"): "gone"], round: 1))
        #expect(subject.details("round.reopened") == ["1 lost update, asked for again"])
    }
}
