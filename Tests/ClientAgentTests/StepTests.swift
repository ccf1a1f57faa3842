import RankwiseWire
import Testing
import Training

@testable import ClientAgent

@Suite struct StepTests {
    private func works(
        round: Int, refused: Int? = nil, phase: String = "collecting", selected: Bool = true, answered: Bool = false,
        lost: Bool = false
    ) -> Bool {
        let plan = PlanBody(
            federation: "f", round: round, phase: phase, state: "running", revision: 1, client: "edge",
            selected: selected, answered: answered, lost: lost, deadlineAt: nil, rank: 1, ranks: [:], scales: [:],
            adapter: nil, merge: nil, reinitialise: false, seed: 1, train: [], send: [], penalty: 0, training: [:],
            update: "")
        guard case .work = Agent.step(for: plan, json: [], refusedRound: refused) else { return false }
        return true
    }

    @Test func `a client trains what the server has not, but no round that refused it, unless what it sent was lost`() {
        #expect(works(round: 3))
        #expect(works(round: 3, refused: 2))
        #expect(!works(round: 3, refused: 3))
        #expect(works(round: 3, refused: 3, lost: true))
        #expect(!works(round: 3, answered: true, lost: true))
        #expect(!works(round: 3, phase: "aggregating", lost: true))
        #expect(!works(round: 3, selected: false, lost: true))
    }

    @Test(arguments: [nil, ["head.weight": [2, 3]]] as [[String: [Int]]?])
    func `a trainer hears which tensors the federation trains, and what draws them`(dense: [String: [Int]]?) {
        let plan = PlanBody(
            federation: "f", round: 1, phase: "collecting", state: "running", revision: 1, client: "edge",
            selected: true, answered: false, deadlineAt: nil, rank: 1, ranks: [:], scales: [:], adapter: nil,
            merge: nil,
            reinitialise: false, seed: 1, federationSeed: 9, dense: dense, train: [], send: [], penalty: 0,
            training: [:], update: "")
        let heard = TrainingPlan(plan, json: [])
        #expect(heard.dense == dense && heard.federationSeed == 9)
    }
}
