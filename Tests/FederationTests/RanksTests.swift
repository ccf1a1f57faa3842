import Federation
import Testing

@Suite struct RanksTests {
    /// Rank asked, the federation's maximum, the module's, and the rank granted.
    static let table = [
        (60, 60, 60, 60), (42, 60, 160, 112), (1, 60, 160, 3), (1, 60, 1, 1), (30, 60, 1, 1), (29, 60, 1, 1),
        (3, 4, 2, 2), (1, 4, 2, 1), (1, 4, 6, 2), (3, 4, 6, 5), (5, 10, 3, 2), (1, 10, 3, 1), (2, 10, 3, 1),
        (61, 60, 160, 160), (.max, 60, 160, 160), (1, 65_536, 65_536, 1), (65_536, 65_536, 65_536, 65_536),
        (0, 60, 160, 1), (-5, 60, 160, 1),
    ]

    @Test(arguments: table)
    func `a module's rank is the client's share of its maximum, halves up, at least one`(
        _ rank: Int, _ maximum: Int, _ ofModule: Int, _ granted: Int
    ) throws {
        var adapter = try FederationSettings.sample().adapter
        adapter.maximumRank = maximum
        adapter.modules = ["m": .init(kind: .linear, inputs: 8, outputs: 8, maximumRank: ofModule, bias: false)]
        #expect(adapter.ranks(forClientRank: rank) == ["m": granted])
    }

    @Test func `a module without a maximum of its own has the federation's`() throws {
        let adapter = try FederationSettings.sample().adapter
        #expect(adapter.maximumRanks == ["fc1": 60, "fc2": 160])
        #expect(adapter.ranks(forClientRank: 42) == ["fc1": 42, "fc2": 112])
    }
}
