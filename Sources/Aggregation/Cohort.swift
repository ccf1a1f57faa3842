import AdapterFormat

/// The contributions of a round in the order of their sums, with their weights.
struct Cohort: Sendable {
    private let contributions: [Contribution]
    private let weights: [Double]
    private let scaling: Scaling

    /// Orders the contributions by client and checks them against the shape.
    init(
        _ contributions: [Contribution], shape: AdapterShape, scaling: Scaling, strategy: Strategy
    ) throws(AggregationError) {
        guard !contributions.isEmpty else { throw .noContributions }
        let ordered = contributions.sorted { $0.client.precedes($1.client) }
        for (one, next) in zip(ordered, ordered.dropFirst()) where one.client == next.client {
            throw .duplicateClient(one.client)
        }
        for contribution in ordered {
            guard contribution.samples >= 0 else { throw .negativeSamples(client: contribution.client) }
            if let scale = contribution.scale, !(scale > 0 && scale.isFinite) {
                throw .scale(client: contribution.client)
            }
            do throws(AdapterError) {
                try contribution.adapter.checkShapes(against: shape, ranks: [:])
                try strategy.admission.check(contribution.adapter, shape: shape)
            } catch {
                throw .adapter(client: contribution.client, error)
            }
        }
        weights = try strategy.weighting.weights(of: ordered)
        self.contributions = ordered
        self.scaling = scaling
    }

    /// What the round holds of a module.
    func round(of shape: ModuleShape) -> ModuleRound {
        let members = zip(contributions, weights).compactMap { contribution, weight -> ModuleRound.Member? in
            guard let module = contribution.adapter[module: shape.name] else { return nil }
            let ratio =
                contribution.scale.map { $0 / scaling.scale(atRank: shape.maximumRank) }
                ?? scaling.ratio(fromRank: module.rank, toRank: shape.maximumRank)
            return ModuleRound.Member(module: module, weight: weight, ratio: ratio)
        }
        return ModuleRound(shape: shape, members: members)
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
