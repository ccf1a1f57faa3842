import Federation
import Testing

/// How ranks of updates become steps.
@Suite struct RankCoverageTests {
    private func steps(_ ranks: [Int], _ highest: Int) -> [[Int]] {
        RankCoverage(of: ranks, maximumRank: highest).steps.map { [$0.through, $0.updates] }
    }

    @Test func `every component is counted as often as updates reach it`() {
        let ranks = [5, 1, 3, 3, 8]
        let counted = steps(ranks, 8)
        #expect(counted == [[1, 5], [3, 4], [5, 2], [8, 1]])
        for component in 1...8 {
            let step = counted.first { component <= $0[0] }
            #expect(step?[1] == ranks.count { $0 >= component })
        }
    }

    @Test func `components that nobody reaches have a step of none`() {
        #expect(steps([2], 5) == [[2, 1], [5, 0]])
        #expect(steps([], 5) == [[5, 0]])
    }

    @Test func `a rank above the module's counts as the whole module`() {
        #expect(steps([9, 4], 4) == [[4, 2]])
    }
}
