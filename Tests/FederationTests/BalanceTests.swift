import Federation
import Testing

@Suite struct BalanceTests {
    /// The sizes of fc1.A, fc1.B, fc2.A and fc2.B.
    private func update(_ name: String, _ sizes: [Float]?) throws
        -> FederationMachine.Event<Int, FederationMachine.UpdateObjection>
    {
        .update(
            try .sample(name, factorSizes: sizes.map(FactorSizes.init(values:))), round: 1)
    }

    /// The names that are left out of a round with these updates, with what is said of them.
    private func leftOut(
        _ sizes: [[Float]?], limit: Double? = 30
    ) throws -> [String: String] {
        let names = ["a", "b", "c", "d", "e"].prefix(sizes.count)
        var subject = try MachineUnderTest {
            $0.limits.factorOverMedian = limit
            $0.policy.minimumClients = names.count
        }
        for name in names { try subject.register(name) }
        for (name, sizes) in zip(names, sizes) { try subject.apply(update(name, sizes)) }
        #expect(subject.round?.phase == .aggregating)
        var found: [String: String] = [:]
        for update in try #require(subject.round).updates.values {
            if case .leftOut(let reason) = update.status { found[update.client.rawValue] = reason }
        }
        return found
    }

    @Test func `a factor far above the median of its module is left out by its name`() throws {
        let found = try leftOut([[1, 1, 1, 1], [2, 1, 1, 2], [3, 1, 1, 31_000], [1, 1, 1, 3]])
        #expect(
            found == [
                "c":
                    "update.balance: the root mean square of fc2.lora_B, 31000.0, is above 30.0 times the median of the "
                    + "round's updates, 2.5"
            ])
    }

    @Test(arguments: [
        ([30, 1, 1] as [Float], 0), ([30.001, 1, 1], 1), ([99, 1], 0), ([99, 1, 0], 0), ([99, 1, 1, 0], 1),
    ])
    func `from three factors that are not zero on there is a median to hold them against`(
        _ sizes: [Float], _ count: Int
    ) throws {
        #expect(try leftOut(sizes.map { [$0, 1, 1, 1] }).count == count)
    }

    @Test func `half of all updates being zero does not hide the other half's outlier`() throws {
        #expect(
            try leftOut([[0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1], [99, 1, 1, 1]]).keys.sorted() == ["e"])
    }

    @Test func `where the limit is null, or an update has no sizes, nothing is left out`() throws {
        #expect(try leftOut([[1, 1, 1, 1], [1, 1, 1, 1], [99, 1, 1, 1]], limit: nil).isEmpty)
        #expect(try leftOut([nil, [1, 1, 1, 1], [99, 1, 1, 1]]).isEmpty)
    }

    @Test func `sizes go once the round has ended`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        try subject.apply(update("a", [1, 1, 1, 1]), update("b", [1, 1, 1, 1]))
        try subject.apply(.setState(.paused))
        try subject.apply(.aggregation(of: 1))
        #expect(subject.round?.updates.values.allSatisfy { $0.factorSizes == nil } == true)
    }

    @Test func `a median test does not end where half of the updates are zeros`() throws {
        var subject = try MachineUnderTest {
            $0.limits.normOverMedian = 2
            $0.policy.minimumClients = 4
        }
        try subject.register("a", "b", "c", "d", "e")
        for (name, norm) in [("a", 0.0), ("b", 0), ("c", 1), ("d", 1), ("e", 9)] {
            try subject.apply(.update(.sample(name, norm: norm), round: 1))
        }
        #expect(subject.round?.accepted.map(\.client.rawValue) == ["a", "b", "c", "d"])
    }
}
