package import AdapterFormat
import LinearAlgebra

/// Adds up the updates of one round into the adapter that it publishes.
package struct Aggregator: Sendable {
    private let strategy: Strategy
    private let shape: AdapterShape
    private let scaling: Scaling

    package init(strategy: Strategy, shape: AdapterShape, scaling: Scaling) {
        self.strategy = strategy
        self.shape = shape
        self.scaling = scaling
    }

    /// Sums the contributions in ascending client name and hands the global adapter over in the order of the shape.
    ///
    /// The result is the same, byte for byte, in whatever order the contributions come and on any number of threads.
    /// Reads the mapped files once; in memory are the modules in hand, at most one more than there are threads, and no
    /// client's. Blocks until all is done; sources and sink are used on the calling thread only.
    ///
    /// - Parameters:
    ///   - contributions: validated updates; each is checked again, but for its numbers.
    ///   - previous: the last published adapter, at the federation's scale for maximum rank.
    ///   - initial: version 0, for what the last adapter lacks; beyond that there are zeros.
    /// - Throws: `AggregationError`, or what a source or the sink throws.
    package func aggregate<Sink: AdapterSink & ~Copyable>(
        _ contributions: [Contribution], previous: (any AdapterSource)? = nil, initial: (any AdapterSource)? = nil,
        threads: Int, into sink: inout Sink
    ) throws {
        let cohort = try Cohort(contributions, shape: shape, scaling: scaling, strategy: strategy)
        let earlier = EarlierAdapter(previous: previous, initial: initial)
        let projection = strategy.projection
        try orderedPipeline(
            count: shape.modules.count, threads: threads,
            prepare: { index in
                let module = cohort.round(of: shape.modules[index])
                return (module, projection.needsEarlier(module) ? try earlier.factors(of: module.shape) : nil)
            },
            work: { _, input in projection.publish(input.0, earlier: input.1) },
            consume: { index, factors in try sink.take(factors, of: shape.modules[index]) })
        try orderedPipeline(
            count: shape.dense.count, threads: threads,
            prepare: { index in
                let tensor = shape.dense[index]
                let shares = cohort.shares(of: tensor)
                return (shares, shares.isEmpty ? try earlier.values(of: tensor) : nil)
            },
            work: { index, input in mean(of: shape.dense[index], input.0, earlier: input.1) },
            consume: { index, values in try sink.take(values, of: shape.dense[index]) })
    }

    /// Σ_k p_k·x_k over the clients that hold the tensor; what it was where nobody does.
    private func mean(
        of tensor: AdapterShape.Dense, _ shares: [(values: TensorView, share: Double)], earlier: [Float]?
    ) -> [Float] {
        let count = tensor.elementCount
        guard !shares.isEmpty else { return earlier ?? [Float](repeating: 0, count: count) }
        return sum(shares.map { ($0.values, [$0.share]) }, count: count) {
            accumulateRows($0, columns: count, into: $1)
        }
    }
}
