import AdapterFormat
import LinearAlgebra

/// Publishes, coordinate by coordinate, the mean of the middle of the clients' sorted values, in place of a weighted mean.
///
/// Rows that too few clients hold, a factor that is not trained, and a bias that too few clients send keep their earlier
/// values.
struct CoordinateMiddle: Projection {
    let rule: MiddleRule
    /// The factors that the clients trained.
    let factors: FactorSet

    func needsEarlier(_ module: ModuleRound) -> Bool {
        factors != .both || module.holderCounts.contains { rule.places(of: $0) == nil }
    }

    func publish(_ module: ModuleRound, earlier: ModuleFactors?) throws -> ModuleResult {
        let shape = module.shape
        let rank = shape.maximumRank
        let earlier = earlier?.prefix(rank: rank)
        let isKept = module.holderCounts.map { rule.places(of: $0) == nil }
        let a =
            factors.contains(.a)
            ? middleOfA(module, keeping: earlier?.a, isKept) : try frozen(earlier?.a, earlier, module)
        guard factors.contains(.b) else {
            return ModuleResult(
                factors: ModuleFactors(
                    rank: rank, inputs: shape.inputs, outputs: shape.outputs, a: a,
                    b: try frozen(earlier?.b, earlier, module),
                    bias: shape.hasBias ? earlier?.bias ?? shape.noBias : nil))
        }
        return ModuleResult(
            factors: ModuleFactors(
                rank: rank, inputs: shape.inputs, outputs: shape.outputs, a: a,
                outputMajorB: middleOfB(module, keeping: earlier, isKept),
                bias: shape.hasBias ? middleOfBias(module, keeping: earlier?.bias) : nil))
    }

    private func frozen(
        _ values: [Float]?, _ earlier: ModuleFactors?, _ module: ModuleRound
    ) throws(AggregationError) -> [Float] {
        guard let values, earlier?.rank == module.shape.maximumRank else {
            throw .noEarlier(module: module.shape.name)
        }
        return values
    }

    /// A's rows lie one behind another, so those with the same holders are one run of numbers.
    private func middleOfA(_ module: ModuleRound, keeping earlier: [Float]?, _ isKept: [Bool]) -> [Float] {
        let inputs = module.shape.inputs
        var a = module.pool.take(module.shape.maximumRank * inputs)
        a.withUnsafeMutableBufferPointer { target in
            for rows in module.levels {
                let holders = module.members.filter { $0.module.rank >= rows.upperBound }.compactMap(\.module.a)
                let place = UnsafeMutableBufferPointer(
                    rebasing: target[rows.lowerBound * inputs..<rows.upperBound * inputs])
                if let places = rule.places(of: holders.count) {
                    MiddleBlocks(middle: places).fill(
                        place, from: holders.map { ($0, 1) }, at: rows.lowerBound * inputs)
                } else {
                    place.keep(earlier, from: rows.lowerBound * inputs)
                }
            }
        }
        return a
    }

    /// (outputs × rank). Each client's file has its rows of B one behind another, so a block is of some outputs.
    private func middleOfB(_ module: ModuleRound, keeping earlier: ModuleFactors?, _ isKept: [Bool]) -> [Float] {
        let (rank, outputs) = (module.shape.maximumRank, module.shape.outputs)
        var b = module.pool.take(rank * outputs)
        b.withUnsafeMutableBufferPointer { target in
            MiddleRows(rule: rule, levels: module.levels).fill(
                target, width: rank,
                from: module.members.compactMap { member in
                    member.module.b.map { ($0, member.module.rank, Float(member.scale / module.scale)) }
                })
        }
        guard isKept.contains(true) else { return b }
        let last = earlier?.outputMajorB() ?? []
        let lastRank = earlier?.rank ?? 0
        for (component, isKept) in isKept.enumerated() where isKept {
            for output in 0..<outputs {
                b[output * rank + component] = component < lastRank ? last[output * lastRank + component] : 0
            }
        }
        return b
    }

    private func middleOfBias(_ module: ModuleRound, keeping earlier: [Float]?) -> [Float] {
        let terms = module.members.compactMap { member in
            member.module.bias.map { ($0, Float(member.scale / module.scale)) }
        }
        return values(of: terms, count: module.shape.outputs) ?? earlier ?? module.shape.noBias
    }

    /// The middle of whole tensors; nil where too few hold it.
    func values(of terms: [(tensor: TensorView, scale: Float)], count: Int) -> [Float]? {
        guard let places = rule.places(of: terms.count) else { return nil }
        return [Float](unsafeUninitializedCapacity: count) { buffer, filled in
            MiddleBlocks(middle: places).fill(.init(rebasing: buffer[..<count]), from: terms, at: 0)
            filled = count
        }
    }
}

extension ModuleRound {
    /// The number of clients that hold each component.
    var holderCounts: [Int] {
        (0..<shape.maximumRank).map { component in members.count { $0.module.rank > component } }
    }

    /// The components in runs of the same holders.
    var levels: [Range<Int>] {
        let rank = shape.maximumRank
        let ends = Set(members.map { min($0.module.rank, rank) } + [rank]).sorted()
        return zip([0] + ends, ends).map { $0..<$1 }
    }
}

extension UnsafeMutableBufferPointer<Float> {
    /// Takes numbers of an earlier value from an offset on; zeros where it has none.
    fileprivate func keep(_ earlier: [Float]?, from offset: Int) {
        let known = earlier.map { $0.dropFirst(offset).prefix(count) } ?? []
        let end = known.isEmpty ? 0 : update(fromContentsOf: known)
        self[end...].update(repeating: 0)
    }
}
