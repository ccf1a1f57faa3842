package import AdapterFormat
import LinearAlgebra

/// The inner products of all pairs of updates, ⟨s_k·B_k·A_k, s_j·B_j·A_j⟩ over the modules and ⟨x_k, x_j⟩ over the tensors
/// beside them, in float64 and without a dense product.
///
/// A pair of components costs 2·(inputs + outputs) operations, for ⟨b_ki, b_jl⟩·⟨a_ki, a_jl⟩. Where pairs are cut to the
/// lower of their ranks, only components that both have are multiplied. Holds some positions of some updates of one module at
/// a time, for each thread.
struct ProductPairs {
    let shape: AdapterShape
    let scaling: Scaling
    /// The factors that the clients trained; the server's copy stands for the other one.
    let factors: FactorSet
    /// Whether two updates are compared over the components that both hold.
    let isCut: Bool
    let threads: Int

    /// The numbers of a tensor that are read at a time, of all its holders.
    private static let numbersInHand = 1 << 20

    func pairs(of members: [Cohort.Member], after earlier: EarlierAdapter) throws -> UpdatePairs {
        var pairs = UpdatePairs(count: members.count)
        try orderedPipeline(
            count: shape.modules.count, threads: threads,
            prepare: { index in factors == .both ? nil : try earlier.factors(of: shape.modules[index]) },
            work: { index, earlier in try ofModule(index, members, earlier) },
            consume: { _, part in pairs.add(part.pairs, of: part.holders) })
        try orderedPipeline(
            count: shape.dense.count, threads: threads, prepare: { $0 },
            work: { _, position in
                let held = members.indices.compactMap { place in
                    members[place].file.dense(at: position).map { (place, $0, 1.0) }
                }
                return (pairs: ofTensors(held.map { ($0.1, $0.2) }), holders: held.map(\.0))
            },
            consume: { _, part in pairs.add(part.pairs, of: part.holders) })
        return pairs
    }

    private func ofModule(
        _ position: Int, _ members: [Cohort.Member], _ earlier: ModuleFactors?
    ) throws -> (pairs: UpdatePairs, holders: [Int]) {
        let module = shape.modules[position]
        let scaling = scaling.of(module)
        var terms: [ModuleGram.Term] = []
        var holders: [Int] = []
        var biases: [(TensorView, Double)] = []
        for (place, member) in members.enumerated() {
            guard let held = member.file.module(at: position) else { continue }
            var scale = member.scale(of: held, module, self.scaling)
            if factors.contains(.b), let bias = held.bias { biases.append((bias, scale)) }
            if factors != .both {
                guard let earlier, earlier.rank >= held.rank else {
                    throw AggregationError.noEarlier(module: module.name)
                }
            }
            // What a client downloads of a frozen B has the scale of its own rank.
            if !factors.contains(.b) { scale *= scaling.ratio(fromRank: module.maximumRank, toRank: held.rank) }
            terms.append(.init(module: held, scale: scale))
            holders.append(place)
        }
        let gram = ModuleGram(
            shape: module, terms: terms, factors: factors, earlier: earlier, isCut: isCut)
        var pairs = gram.pairs()
        // All holders of a module with a bias send it.
        if biases.count == terms.count, !biases.isEmpty {
            pairs.add(ofTensors(biases.map { ($0.0, $0.1) }), of: Array(holders.indices))
        }
        return (pairs, holders)
    }

    /// ⟨x_k, x_j⟩ of whole tensors, each times its factor.
    private func ofTensors(_ tensors: [(tensor: TensorView, scale: Double)]) -> UpdatePairs {
        var pairs = UpdatePairs(count: tensors.count)
        guard let length = tensors.first?.tensor.elementCount else { return pairs }
        let gram = ComponentGram(
            left: tensors.count, right: tensors.count,
            blocks: [.init(left: 0..<tensors.count, right: 0..<tensors.count)])
        let step = max(1, Self.numbersInHand / tensors.count)
        let block = FloatBlock(count: min(step, length) * tensors.count)
        for first in stride(from: 0, to: length, by: step) {
            let count = min(step, length - first)
            for (place, term) in tensors.enumerated() {
                term.tensor.decode(
                    elements: first..<first + count,
                    into: UnsafeMutableBufferPointer(rebasing: block.floats[place * count..<(place + 1) * count]))
            }
            gram.add(block.matrix(rows: tensors.count, columns: count).readOnly, nil)
        }
        for one in tensors.indices {
            for other in 0...one {
                let scale = tensors[one].scale * tensors[other].scale
                pairs.set(
                    one, other, product: scale * gram[one, other],
                    first: tensors[one].scale * tensors[one].scale * gram[one, one],
                    second: tensors[other].scale * tensors[other].scale * gram[other, other])
            }
        }
        return pairs
    }
}

extension RobustRule {
    /// The least operations for the inner products that the rule needs, without those of tensors beside the factors;
    /// nil where it needs none.
    ///
    /// 2·(inputs + outputs) for each pair of components that is compared, pairs of one update once.
    ///
    /// - Parameter ranks: of the clients, in every module.
    package func leastOperations(of shape: AdapterShape, ranks: [Int]) -> Double? {
        let isCut: Bool
        switch self {
        case .krum: isCut = true
        case .geometricMedian: isCut = false
        case .trimmed, .median, .clip: return nil
        }
        var pairs = 0.0
        for (place, rank) in ranks.enumerated() {
            pairs += Double(rank * (rank + 1)) / 2
            for other in ranks[..<place] {
                pairs += isCut ? Double(min(rank, other) * min(rank, other)) : Double(rank * other)
            }
        }
        return shape.modules.reduce(0) { $0 + 2 * Double($1.inputs + $1.outputs) * pairs }
    }
}
