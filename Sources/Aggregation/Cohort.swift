import AdapterFormat
import LinearAlgebra

/// The contributions of a round in the order of summation, with their weights.
struct Cohort: Sendable {
    /// One client with its file.
    struct Member: Sendable {
        let contribution: Contribution
        let file: AdapterIndex

        /// s_k of a module.
        func scale(of module: AdapterFile.Module, _ shape: ModuleShape, _ scaling: Scaling) -> Double {
            contribution.scale ?? scaling.of(shape).scale(atRank: module.rank)
        }
    }

    private let members: [Member]
    private let weights: [Double]
    private let scaling: Scaling
    /// What no term of an exact sum may reach; nil where sums are float.
    let termLimit: Double?

    /// Orders the contributions by client, opens them, checks them against the shape and weighs them.
    ///
    /// - Parameters:
    ///   - shape: what clients send in this round.
    ///   - isPart: whether further clients follow, so that all of these may have weight zero.
    ///   - norms: ‖s_k·B_k·A_k‖_F of the members, in this order; called only where weights need them.
    init(
        _ contributions: [Contribution], shape: AdapterShape, scaling: Scaling, strategy: Strategy, round: Int,
        threads: Int, isPart: Bool = false,
        norms: ([Member]) throws -> [Double]
    ) throws {
        guard !contributions.isEmpty else { throw AggregationError.noContributions }
        let ordered = contributions.sorted { $0.client.precedes($1.client) }
        for (one, next) in zip(ordered, ordered.dropFirst()) where one.client == next.client {
            throw AggregationError.duplicateClient(one.client)
        }
        var members: [Member] = []
        try orderedPipeline(
            count: ordered.count, threads: threads,
            prepare: { ordered[$0] },
            work: { _, contribution in
                let file = try contribution.open()
                try Self.check(contribution, file, shape: shape, strategy: strategy, round: round)
                return Member(contribution: contribution, file: AdapterIndex(file, of: shape))
            },
            consume: { members.append($1) })
        let weights = try strategy.weighting.weights(
            of: ordered, norms: strategy.weighting.needsNorms ? try norms(members) : [], isPart: isPart)
        // A weight that is none in fixed point is none at all.
        self.weights = strategy.sum == .exact ? weights.map { FixedPoint(rounding: $0) == .zero ? 0 : $0 } : weights
        self.members = members
        self.scaling = scaling
        termLimit = strategy.sum == .exact ? FixedPoint.limit / Double(members.count) : nil
    }

    private static func check(
        _ contribution: Contribution, _ file: AdapterFile, shape: AdapterShape, strategy: Strategy, round: Int
    ) throws(AggregationError) {
        guard contribution.samples >= 0 else { throw .negativeSamples(client: contribution.client) }
        if let scale = contribution.scale, !(scale > 0 && scale.isFinite) {
            throw .scale(client: contribution.client)
        }
        do throws(AdapterError) {
            try file.checkShapes(
                against: shape, ranks: [:], needed: strategy.demand(in: round).factors,
                messageBits: Set(MessageBits.allCases))
            try strategy.admission.check(file, shape: shape)
        } catch {
            throw .adapter(client: contribution.client, error)
        }
    }

    /// One module of the round.
    ///
    /// - Parameters:
    ///   - position: in the shape of what clients send.
    ///   - shape: with the rank that the round publishes.
    ///   - maximumRank: R; the published factors have its scale.
    func round(
        at position: Int, of shape: ModuleShape, maximumRank: Int, fresh: InitialAdapter, pool: FloatPool
    ) -> ModuleRound {
        let held = zip(members, weights).compactMap { member, weight -> ModuleRound.Member? in
            guard let module = member.file.module(at: position) else { return nil }
            return ModuleRound.Member(
                client: member.contribution.client, module: module, weight: weight,
                scale: member.scale(of: module, shape, scaling))
        }
        return ModuleRound(
            shape: shape, scale: scaling.of(shape).scale(atRank: maximumRank), members: held, termLimit: termLimit,
            fresh: fresh, pool: pool)
    }

    /// A client that holds a dense tensor.
    struct Holder: Sendable {
        let client: String
        let values: TensorView
        let weight: Double
    }

    /// The clients that hold the dense tensor at a position of the update shape.
    func holders(at position: Int) -> [Holder] {
        zip(members, weights).compactMap { member, weight in
            member.file.dense(at: position).map {
                Holder(client: member.contribution.client, values: $0, weight: weight)
            }
        }
    }

    /// The clients that hold the dense tensor at a position of the update shape, with their share p_k; empty where none
    /// of them has any weight.
    func shares(at position: Int) -> [(values: TensorView, share: Double)] {
        let holders = holders(at: position)
        let total = holders.reduce(0) { $0 + $1.weight }
        guard total > 0 else { return [] }
        return holders.map { ($0.values, $0.weight / total) }
    }
}
