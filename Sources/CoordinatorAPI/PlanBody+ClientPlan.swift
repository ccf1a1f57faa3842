import AdapterFormat
import Aggregation
package import Coordinator
import Federation
import Foundation
package import RankwiseWire

extension PlanBody {
    /// Writes a client's plan in the wire's terms, with the paths on the server.
    package init(_ plan: ClientPlan) throws(WireError) {
        let base = "/v1/federations/\(plan.federation)"
        let phase =
            switch plan.phase {
            case nil: "waiting"
            case .collecting: "collecting"
            case .aggregating: "aggregating"
            case .published: "published"
            case .failed: "failed"
            }
        let cut = plan.isCutFurther ? "&for=\(max(1, plan.round))" : ""
        let demand = plan.demand
        let factors = [(FactorSet.a, "A"), (.b, "B")].filter { demand.factors.contains($0.0) }.map(\.1)
        self.init(
            federation: plan.federation.rawValue, round: plan.round, phase: phase, state: plan.state.rawValue,
            revision: plan.revision, client: plan.client.rawValue, selected: plan.isSelected,
            answered: plan.hasAnswered, lost: plan.isLost, deadlineAt: plan.deadline?.timestamp, rank: plan.rank,
            ranks: plan.ranks, scales: plan.scales,
            adapter: Source(
                round: plan.adapterRound, href: "\(base)/rounds/\(plan.adapterRound)/adapter?rank=\(plan.rank)\(cut)"),
            merge: plan.hasMerge
                ? Merge(
                    round: plan.adapterRound, since: 0, href: "\(base)/rounds/\(plan.adapterRound)/merge?since=0")
                : nil,
            reinitialise: demand.isFresh,
            drawn: demand.drawnRound.map { Drawn(factor: "A", round: $0, seed: plan.federationSeed) },
            seed: plan.seed, federationSeed: plan.federationSeed, dense: plan.dense, train: factors, send: factors,
            penalty: demand.penalty,
            pruning: demand.pruning.map {
                Pruning(gamma: $0.gamma, penalty: $0.penalty, minRank: $0.minimumRank)
            },
            messageBits: plan.messageBits,
            stage: demand.sparse.map { Stage(name: "sparse", density: $0.density, seed: plan.federationSeed) },
            training: try WireJSON.decode([String: JSONValue].self, from: Data(plan.training.utf8)),
            update: "\(base)/rounds/\(plan.round)/update")
        comeBackSeconds = plan.comeBackSeconds
        holdout = plan.holdout
        evaluate = plan.evaluation.map { evaluation in
            Evaluate(
                round: evaluation.round, deadlineAt: evaluation.deadline.timestamp,
                href: "\(base)/rounds/\(evaluation.round)/evaluation")
        }
    }
}
