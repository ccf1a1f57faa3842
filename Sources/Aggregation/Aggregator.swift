package import AdapterFormat
import LinearAlgebra

/// Aggregates the updates of one round into what the round publishes.
package struct Aggregator: Sendable {
    private let strategy: Strategy
    private let shape: AdapterShape
    private let scaling: Scaling
    private let seed: UInt64

    /// - Parameters:
    ///   - shape: the federation's, at the maximum ranks.
    ///   - seed: the federation's; new factors are drawn from it and the round.
    package init(strategy: Strategy, shape: AdapterShape, scaling: Scaling, seed: UInt64 = 0) {
        self.strategy = strategy
        self.shape = shape
        self.scaling = scaling
        self.seed = seed
    }

    /// Sums the contributions in ascending client name and writes the round's results to the sink.
    ///
    /// The result is the same, byte for byte, for any order of the contributions and any number of threads. Reads the
    /// mapped files once (twice where weights need norms). Only the modules in progress are in memory, at most one more
    /// than there are threads, and no client's whole adapter. Blocks until all is done. Uses sources and sink only on
    /// the calling thread.
    ///
    /// - Parameter contributions: validated updates; each is checked again, except for its numbers.
    /// - Returns: what the robust rule did; nil without a rule.
    /// - Throws: `AggregationError`, or what a source or the sink throws.
    @discardableResult
    package func aggregate<Sink: RoundSink & ~Copyable>(
        _ contributions: [Contribution], round: Int, after earlier: EarlierRound = EarlierRound(), threads: Int,
        into sink: inout Sink
    ) throws -> RobustReport? {
        let before = EarlierAdapter(previous: earlier.previous, initial: earlier.initial)
        let demand = strategy.demand(in: round, after: earlier.round)
        let sent = strategy.updateShape(of: shape, round: round, after: earlier.round)
        let cohort = try Cohort(
            contributions, shape: sent, scaling: scaling, strategy: strategy, round: round, threads: threads,
            measures: CohortMeasures(
                norms: UpdateNorms(shape: sent, scaling: scaling, factors: demand.factors, threads: threads),
                earlier: before))
        func held(_ tensor: AdapterShape.Dense) -> DenseRound {
            DenseRound(
                tensor: tensor, holders: sent.position(ofDense: tensor.name).map { cohort.holders(at: $0) } ?? [],
                middle: strategy.robust?.middle)
        }
        // A tensor that starts from the base is published from the first round in which a client sends it.
        let published = try strategy.publishedShape(of: shape, round: round)
            .withDense { try held($0).isPublished || before.values(of: $0) != nil }
        if let sparse = demand.sparse {
            try publishSparse(
                of: cohort, in: sent, as: published, density: sparse.density, before, into: &sink)
        } else {
            try publishFactors(
                of: cohort, as: published, demand, round: round, before, moments: earlier.moments, threads: threads,
                into: &sink)
        }
        try orderedPipeline(
            count: published.dense.count, threads: threads,
            prepare: { index in
                let round = held(published.dense[index])
                return (round, round.needsEarlier ? try before.values(of: round.tensor) : nil)
            },
            work: { index, input in
                if let sum = try exactSum(of: input.0.tensor, in: cohort, sent), let mean = sum.mean() { return mean }
                return input.0.values(earlier: input.1)
            },
            consume: { index, values in try sink.take(values, of: published.dense[index]) })
        guard let report = cohort.report, let middle = strategy.robust?.middle else { return cohort.report }
        var coverage = MiddleCoverage(rule: middle)
        for module in published.modules.indices {
            coverage.count(cohort.ranks(at: module), of: published.modules[module])
        }
        for tensor in sent.dense { coverage.count(held(tensor).holders.count, of: tensor) }
        return RobustReport(leftOut: report.leftOut, notes: report.notes + coverage.notes)
    }

    private func publishFactors<Sink: RoundSink & ~Copyable>(
        of cohort: Cohort, as published: AdapterShape, _ demand: ClientDemand, round: Int, _ before: EarlierAdapter,
        moments: [any AdapterSource], threads: Int, into sink: inout Sink
    ) throws {
        let projection = strategy.projection(in: round)
        let optimizer = strategy.optimizer
        let fresh = InitialAdapter(seed: seed, round: round)
        // A and B of every module in progress.
        let pool = FloatPool(limit: 2 * (threads + 2))
        // Built again each time: all modules of all clients at once would need many times the memory of the
        // computation.
        func held(at position: Int) -> ModuleRound {
            cohort.round(
                at: position, of: published.modules[position], maximumRank: shape.modules[position].maximumRank,
                fresh: fresh, pool: pool)
        }
        var mergeRanks: [String: Int] = [:]
        for (position, module) in published.modules.enumerated() where strategy.publishesMerge {
            mergeRanks[module.name] = projection.mergeRank(held(at: position))
        }
        try sink.begin(RoundOutline(shape: published, mergeRanks: mergeRanks))
        var spent: ModuleResult?
        try orderedPipeline(
            count: published.modules.count, threads: threads,
            prepare: { index in
                let module = held(at: index)
                let isNeeded = optimizer.momentCount > 0 || projection.needsEarlier(module)
                return Input(
                    module: module, earlier: isNeeded ? try before.factors(of: module.shape) : nil,
                    moments: try moments.map { try $0.factors(of: module.shape, rank: module.shape.maximumRank) })
            },
            work: { index, input in
                var result = try input.module.publish(by: projection, earlier: input.earlier)
                (result.factors, result.moments) = optimizer.step(
                    to: result.factors, from: input.earlier, moments: input.moments, factors: demand.factors)
                return result
            },
            consume: { index, result in
                // The previous one, which the pipeline no longer holds.
                if var last = spent.take() { pool.give(&last) }
                try sink.take(result, of: published.modules[index])
                spent = result
            })
    }

    private struct Input: Sendable {
        let module: ModuleRound
        let earlier: ModuleFactors?
        let moments: [ModuleFactors?]
    }

    /// The last sparse round turns the mean change of the weights into factors; earlier rounds publish the mean itself.
    private func publishSparse<Sink: RoundSink & ~Copyable>(
        of cohort: Cohort, in sent: AdapterShape, as published: AdapterShape, density: Double,
        _ before: EarlierAdapter, into sink: inout Sink
    ) throws {
        try sink.begin(RoundOutline(shape: published, mergeRanks: [:]))
        for module in published.modules {
            let tensor = strategy.sparseTensor(of: module)
            let round = DenseRound(
                tensor: tensor, holders: sent.position(ofDense: tensor.name).map { cohort.holders(at: $0) } ?? [])
            let change = round.values(earlier: round.needsEarlier ? try before.values(of: tensor) : nil)
            let factors: ModuleFactors
            do {
                factors = try SparseChange(module: module, values: change, seed: seed, density: density)
                    .factors(scale: scaling.of(module).scale(atRank: module.maximumRank), seed: seed)
            } catch let error as DecompositionError {
                throw AggregationError.decomposition(module: module.name, error)
            }
            try sink.take(ModuleResult(factors: factors), of: module)
        }
    }

    /// The exact sum over the clients that hold the tensor; nil where sums are float.
    private func exactSum(
        of tensor: AdapterShape.Dense, in cohort: Cohort, _ sent: AdapterShape
    ) throws -> PartialDense? {
        guard let termLimit = cohort.termLimit else { return nil }
        return try PartialDense(
            sent.position(ofDense: tensor.name).map { cohort.holders(at: $0) } ?? [], count: tensor.elementCount,
            termLimit: termLimit)
    }

    /// Sums some of a round's contributions and writes them as a partial sum.
    ///
    /// - Parameters:
    ///   - contributions: validated updates with their digests.
    ///   - federation: its name, which all parts must share.
    /// - Throws: `StrategyError` where the strategy has no row sums; `AggregationError`, or what writing throws.
    package func writePart(
        of contributions: [Contribution], round: Int, in federation: String, threads: Int, to target: PartialSumTarget
    ) throws {
        let plan = try PartialPlan(
            federation: federation, round: round, strategy: strategy, scaling: scaling,
            shape: strategy.publishedShape(of: shape, round: round))
        let cohort = try Cohort(
            contributions, shape: plan.shape, scaling: scaling, strategy: strategy, round: round, threads: threads,
            isPart: true, measures: nil)
        guard let termLimit = cohort.termLimit else { throw AggregationError.noContributions }
        var list = PartialClientListWriter(descriptor: target.clients)
        for contribution in contributions.sorted(by: { $0.client.precedes($1.client) }) {
            guard let digest = contribution.digest else { throw AggregationError.noDigest(client: contribution.client) }
            try list.take(.init(client: contribution.client, digest: digest))
        }
        let clients = try list.finish()
        var writer = try PartialSumWriter(plan: plan, clients: clients, list: list.kept, descriptor: target.sum)
        let fresh = InitialAdapter(seed: seed, round: round)
        try orderedPipeline(
            count: plan.shape.modules.count, threads: threads,
            prepare: { index in
                let module = plan.shape.modules[index]
                return cohort.round(
                    at: index, of: module, maximumRank: module.maximumRank, fresh: fresh, pool: FloatPool())
            },
            work: { _, module in try PartialModule(module, factors: plan.factors, termLimit: termLimit) },
            consume: { index, sums in try writer.take(sums, of: plan.shape.modules[index]) })
        for tensor in plan.shape.dense {
            guard let sums = try exactSum(of: tensor, in: cohort, plan.shape) else { continue }
            try writer.take(sums, of: tensor)
        }
        try writer.finish()
    }
}

extension ModuleRound {
    /// The module's result under the projection. If a decomposition fails, the error names the module.
    fileprivate func publish(by projection: any Projection, earlier: ModuleFactors?) throws -> ModuleResult {
        do {
            return try projection.publish(self, earlier: earlier)
        } catch let error as DecompositionError {
            throw AggregationError.decomposition(module: shape.name, error)
        }
    }
}
