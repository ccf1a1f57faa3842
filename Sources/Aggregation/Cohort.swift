import AdapterFormat
import LinearAlgebra

/// The contributions of a round in the order of their sums, with their weights.
struct Cohort: Sendable {
    private let contributions: [Contribution]
    private let weights: [Double]
    private let scaling: Scaling

    /// Orders the contributions by client, checks them against the shape and weighs them.
    ///
    /// - Parameters:
    ///   - shape: what clients send in this round.
    ///   - norms: ‖s_k·B_k·A_k‖_F of the contributions in their order here; called only where they are needed.
    init(
        _ contributions: [Contribution], shape: AdapterShape, scaling: Scaling, strategy: Strategy, round: Int,
        norms: ([Contribution]) throws -> [Double]
    ) throws {
        guard !contributions.isEmpty else { throw AggregationError.noContributions }
        let ordered = contributions.sorted { $0.client.precedes($1.client) }
        for (one, next) in zip(ordered, ordered.dropFirst()) where one.client == next.client {
            throw AggregationError.duplicateClient(one.client)
        }
        for contribution in ordered { try Self.check(contribution, shape: shape, strategy: strategy, round: round) }
        weights = try strategy.weighting.weights(
            of: ordered, norms: strategy.weighting.needsNorms ? try norms(ordered) : [])
        self.contributions = ordered
        self.scaling = scaling
    }

    private static func check(
        _ contribution: Contribution, shape: AdapterShape, strategy: Strategy, round: Int
    ) throws(AggregationError) {
        guard contribution.samples >= 0 else { throw .negativeSamples(client: contribution.client) }
        if let scale = contribution.scale, !(scale > 0 && scale.isFinite) {
            throw .scale(client: contribution.client)
        }
        do throws(AdapterError) {
            try contribution.adapter.checkShapes(
                against: shape, ranks: [:], needed: strategy.demand(in: round).factors,
                messageBits: Set(MessageBits.allCases))
            try strategy.admission.check(contribution.adapter, shape: shape)
        } catch {
            throw .adapter(client: contribution.client, error)
        }
    }

    /// What the round holds of a module.
    ///
    /// - Parameters:
    ///   - shape: with the rank that the round publishes.
    ///   - maximumRank: R, which the published factors' scale belongs to.
    func round(of shape: ModuleShape, maximumRank: Int, fresh: InitialAdapter) -> ModuleRound {
        let members = zip(contributions, weights).compactMap { contribution, weight -> ModuleRound.Member? in
            guard let module = contribution.adapter[module: shape.name] else { return nil }
            return ModuleRound.Member(
                module: module, weight: weight,
                scale: contribution.scale ?? scaling.scale(atRank: module.rank))
        }
        return ModuleRound(
            shape: shape, scale: scaling.scale(atRank: maximumRank), members: members, fresh: fresh)
    }

    /// The clients that hold a dense tensor with their share p_k; empty where none of any weight does.
    func shares(of tensor: AdapterShape.Dense) -> [(values: TensorView, share: Double)] {
        let holders = zip(contributions, weights).compactMap { contribution, weight in
            contribution.adapter[dense: tensor.name].map { (values: $0.values, weight: weight) }
        }
        let total = holders.reduce(0) { $0 + $1.weight }
        guard total > 0 else { return [] }
        return holders.map { ($0.values, $0.weight / total) }
    }
}
