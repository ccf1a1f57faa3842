import AdapterFormat
import LinearAlgebra

/// Partial sums of one round that are combined: into the round's result, or into a partial sum again.
///
/// The result has the same bytes for any tree of combinations, and the same as one sum of all clients.
package struct PartialSumSet: Sendable {
    package let plan: PartialPlan
    private let parts: [PartialSumFile]

    /// A part that cannot be combined, and why.
    package struct Refusal: Error, CustomStringConvertible {
        package let path: String
        package let reason: PartialSumError
        package var description: String { "\(path): \(reason)" }
    }

    /// Opens the parts and checks that they are of one round and have no client in common.
    ///
    /// - Throws: `PartialSumError.noParts`, or a `Refusal`.
    package init(paths: [String]) throws {
        try self.init(
            paths.map { path in
                do throws(PartialSumError) { return try PartialSumFile(path: path) } catch {
                    throw Refusal(path: path, reason: error)
                }
            })
    }

    /// Checks that opened parts are of one round and have no client in common.
    package init(_ parts: [PartialSumFile]) throws {
        self.parts = parts
        guard let first = parts.first else { throw PartialSumError.noParts }
        plan = first.plan
        for part in parts.dropFirst() {
            if let difference = part.plan.difference(from: plan) { throw Refusal(path: part.path, reason: difference) }
        }
        var collector = PartialClients.Collector()
        try merge { path, entry in
            do throws(PartialSumError) { try collector.take(entry) } catch { throw Refusal(path: path, reason: error) }
        }
    }

    /// Calls the body with every client and the path of its part, ascending by name.
    private func merge(_ body: (String, PartialClients.Entry) throws -> Void) throws {
        try PartialClientList.merge(parts.map(\.list)) { part, entry in try body(parts[part].path, entry) }
    }

    /// Writes the sum of all parts as a partial sum.
    package func write(to target: PartialSumTarget, threads: Int) throws {
        var list = PartialClientListWriter(descriptor: target.clients)
        try merge { _, entry in try list.take(entry) }
        let clients = try list.finish()
        var writer = try PartialSumWriter(plan: plan, clients: clients, list: list.kept, descriptor: target.sum)
        let shape = plan.shape
        try orderedPipeline(
            count: shape.modules.count, threads: threads,
            prepare: { _ in },
            work: { index, _ in try sums(of: shape.modules[index]) },
            consume: { index, sums in try writer.take(sums, of: shape.modules[index]) })
        for tensor in shape.dense { try writer.take(try sums(of: tensor), of: tensor) }
        try writer.finish()
    }

    /// Publishes the round's result: the means of all parts.
    ///
    /// - Throws: `AggregationError`, a `Refusal`, or what a source or the sink throws.
    package func publish<Sink: RoundSink & ~Copyable>(
        after earlier: EarlierRound = EarlierRound(), threads: Int, into sink: inout Sink
    ) throws {
        let before = EarlierAdapter(previous: earlier.previous, initial: earlier.initial)
        guard let mean = plan.strategy.projection(in: plan.round).rowMean else {
            throw StrategyError.exactSum(strategy: plan.strategy.name, reason: "is not a row sum")
        }
        let held = try plan.shape.dense.filter { tensor in
            try parts.contains { part in try naming(part) { try part.weight(of: tensor)[0] != .zero } }
        }
        // A module whose row 0 has no weight is held by nobody.
        let covered = try plan.shape.modules.map { module -> Int in
            try parts.map { part in
                let weights = try naming(part) { try part.weights(of: module) }
                let rows = (0..<weights.count).prefix { weights[$0] != .zero }.count
                return mean.coverage == .padded && rows > 0 ? weights.count : rows
            }.max() ?? 0
        }
        guard !held.isEmpty || covered.contains(where: { $0 > 0 }) else { throw AggregationError.noWeight }
        let heldNames = Set(held.map(\.name))
        let published = try plan.shape.withDense { try heldNames.contains($0.name) || before.values(of: $0) != nil }
        try sink.begin(RoundOutline(shape: published, mergeRanks: [:]))
        try orderedPipeline(
            count: published.modules.count, threads: threads,
            prepare: { index -> ModuleFactors? in
                let module = published.modules[index]
                let isNeeded = plan.factors != .both || covered[index] < module.maximumRank
                return isNeeded ? try before.factors(of: module) : nil
            },
            work: { index, earlier in
                let module = published.modules[index]
                return ModuleResult(factors: try mean.mean(of: sums(of: module), module, earlier: earlier))
            },
            consume: { index, result in try sink.take(result, of: published.modules[index]) })
        // Also the numbers of tensors that are left out are checked.
        for tensor in plan.shape.dense where published.position(ofDense: tensor.name) == nil {
            _ = try sums(of: tensor)
        }
        for tensor in published.dense {
            let values = try sums(of: tensor).mean() ?? before.values(of: tensor)
            try sink.take(values ?? [Float](repeating: 0, count: tensor.elementCount), of: tensor)
        }
    }

    private func sums(of module: ModuleShape) throws -> PartialModule {
        var sums = PartialModule(zeroOf: module, factors: plan.factors)
        for part in parts { try naming(part) { try part.add(module, to: &sums) } }
        return sums
    }

    private func sums(of tensor: AdapterShape.Dense) throws -> PartialDense {
        var sums = PartialDense(zeros: tensor.elementCount)
        for part in parts { try naming(part) { try part.add(tensor, to: &sums) } }
        return sums
    }

    private func naming<Result>(_ part: PartialSumFile, _ body: () throws -> Result) throws -> Result {
        do { return try body() } catch let error as PartialSumError {
            throw Refusal(path: part.path, reason: error)
        }
    }
}
