import Testing

@testable import AdapterOperations

/// How many components a pruning keeps.
@Suite struct RankPruningTests {
    @Test(
        arguments: [(0.99, 1, nil), (0.99, 2, 1), (0.99, 100, 99), (0.4, 2, nil), (1, 8, nil), (.nan, 8, nil)]
            as [(Double, Int, Int?)])
    func `pruning keeps the floor of its share`(gamma: Double, rank: Int, kept: Int?) {
        #expect(RankPruning(gamma: gamma, penalty: 0, minRank: 1).kept(ofRank: rank) == kept)
    }

    @Test func `a rank that is given up stays above the least one`() {
        let pruning = RankPruning(gamma: 0.5, penalty: 0, minRank: 3)
        #expect([8, 6, 4, 3, 2].map(pruning.reduced) == [4, 3, 3, 3, 2])
    }
}
