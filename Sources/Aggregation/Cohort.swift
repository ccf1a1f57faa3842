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
    /// λ_k, the share of each member's step from the last adapter that counts.
    private let stepShares: [Double]
    /// What the robust rule did so far; nil without a rule.
    private(set) var report: RobustReport?
    private let scaling: Scaling
    /// What no term of an exact sum may reach; nil where sums are float.
    let termLimit: Double?

    /// Orders the contributions by client, opens them, checks them against the shape and weighs them.
    ///
    /// - Parameters:
    ///   - shape: what clients send in this round.
    ///   - isPart: whether further clients follow, so that all of these may have weight zero.
    ///   - measures: reads what weights and robust rules need of all members; called only for those that need it.
    init(
        _ contributions: [Contribution], shape: AdapterShape, scaling: Scaling, strategy: Strategy, round: Int,
        threads: Int, isPart: Bool = false,
        measures: CohortMeasures?
    ) throws {
        guard !contributions.isEmpty else { throw AggregationError.noContributions }
        // A robust rule counts only clients that trained.
        let untrained = strategy.robust == nil ? [] : contributions.filter { $0.samples == 0 }.map(\.client)
        let contributions = untrained.isEmpty ? contributions : contributions.filter { $0.samples != 0 }
        guard !contributions.isEmpty else { throw AggregationError.noWeight }
        var ordered = contributions.sorted { $0.client.precedes($1.client) }
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
        var report = strategy.robust.map { rule in
            RobustReport(
                notes: untrained.isEmpty ? [] : ["\(rule.name): \(untrained.count) updates of 0 samples take no part"])
        }
        if case .krum(let byzantine, let keep) = strategy.robust, let measures {
            let krum = Krum(try measures.pairs(of: members, isCut: true), byzantine: byzantine, keep: keep)
            report?.notes += krum.note.map { [$0] } ?? []
            report?.leftOut = krum.leftOut(of: ordered.map(\.client))
            (ordered, members) = (krum.kept.map { ordered[$0] }, krum.kept.map { members[$0] })
        }
        var stepShares = [Double](repeating: 1, count: members.count)
        if case .clip(let norm) = strategy.robust, let measures {
            let clip = ClipShares(steps: try measures.steps(of: members), norm: norm)
            stepShares = clip.shares
            report?.notes.append(clip.note)
        }
        // What is computed coordinate by coordinate has no weights.
        let weighting = strategy.robust?.middle == nil ? strategy.weighting : .uniform
        let needsNorms = weighting.needsNorms
        var weights = try weighting.weights(
            of: ordered, norms: needsNorms ? measures?.norms(of: members, stepShares: stepShares) ?? [] : [],
            isPart: isPart)
        if case .geometricMedian(let iterations, let floor) = strategy.robust, let measures {
            weights = GeometricMedian.weights(
                try measures.pairs(of: members, isCut: false), weights: weights, iterations: iterations, floor: floor)
            report?.notes.append(GeometricMedian.note(weights, clients: ordered.map(\.client)))
        }
        // A weight that is none in fixed point is none at all.
        self.weights = strategy.sum == .exact ? weights.map { FixedPoint(rounding: $0) == .zero ? 0 : $0 } : weights
        self.members = members
        self.stepShares = stepShares
        self.report = report
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
        let held = members.indices.compactMap { place -> ModuleRound.Member? in
            let member = members[place]
            guard let module = member.file.module(at: position) else { return nil }
            return ModuleRound.Member(
                client: member.contribution.client, module: module, weight: weights[place],
                scale: member.scale(of: module, shape, scaling), stepShare: stepShares[place])
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
        /// λ_k, as in `ModuleRound.Member`.
        let stepShare: Double
    }

    /// The clients that hold the dense tensor at a position of the update shape.
    func holders(at position: Int) -> [Holder] {
        members.indices.compactMap { place in
            members[place].file.dense(at: position).map {
                Holder(
                    client: members[place].contribution.client, values: $0, weight: weights[place],
                    stepShare: stepShares[place])
            }
        }
    }

    /// The ranks of the clients that hold the module at a position of the update shape.
    func ranks(at position: Int) -> [Int] { members.compactMap { $0.file.module(at: position)?.rank } }
}
