import AdapterFormat
import LinearAlgebra

/// Publishes the weighted means of the factors: G_A[i] = Σ_k c_ki·a_ki and G_B[:, i] = Σ_k c_ki·(s_k/s_R)·b_ki.
///
/// A component without a coefficient, a factor that is not trained, and the bias of a module that no client holds keep
/// their earlier values.
struct FactorMean: Projection {
    let coverage: Coverage
    /// The factors that the clients trained.
    var factors: FactorSet = .both

    var rowMean: FactorMean? { self }

    func needsEarlier(_ module: ModuleRound) -> Bool {
        factors != .both || module.isClipped || module.coefficients(coverage).isCovered.contains(false)
    }

    func publish(_ module: ModuleRound, earlier: ModuleFactors?) throws -> ModuleResult {
        if let termLimit = module.termLimit {
            let sums = try PartialModule(module, factors: factors, termLimit: termLimit)
            return ModuleResult(factors: try mean(of: sums, module.shape, earlier: earlier))
        }
        let shape = module.shape
        let rank = shape.maximumRank
        let earlier = earlier?.prefix(rank: rank)
        let coefficients = module.coefficients(coverage)
        let a = factors.contains(.a) ? meanOfA(module, coefficients, earlier) : try frozen(\.a, earlier, rank, shape)
        var mean: ModuleFactors
        if factors.contains(.b) {
            mean = ModuleFactors(
                rank: rank, inputs: shape.inputs, outputs: shape.outputs, a: a,
                outputMajorB: outputMajorMeanOfB(module, coefficients, earlier),
                bias: shape.hasBias ? module.meanBias(earlier: earlier) : nil)
        } else {
            mean = ModuleFactors(
                rank: rank, inputs: shape.inputs, outputs: shape.outputs, a: a,
                b: try frozen(\.b, earlier, rank, shape), bias: shape.hasBias ? earlier?.bias ?? shape.noBias : nil)
        }
        if let earlier { mean.keep(earlier, where: coefficients.isCovered, factors) }
        return ModuleResult(factors: mean)
    }

    /// The means of exact sums, by the same rules.
    func mean(of sums: PartialModule, _ shape: ModuleShape, earlier: ModuleFactors?) throws -> ModuleFactors {
        let rank = shape.maximumRank
        let earlier = earlier?.prefix(rank: rank)
        let divisors = sums.divisors(coverage)
        let a = sums.a.map { sums.meansOfRows($0, by: divisors) }
        let bias = shape.hasBias ? sums.meanBias() ?? earlier?.bias ?? shape.noBias : nil
        var mean: ModuleFactors
        if let b = sums.b {
            mean = ModuleFactors(
                rank: rank, inputs: shape.inputs, outputs: shape.outputs,
                a: try a ?? frozen(\.a, earlier, rank, shape), b: sums.meansOfRows(b, by: divisors), bias: bias)
        } else if let b = sums.outputMajorB {
            mean = ModuleFactors(
                rank: rank, inputs: shape.inputs, outputs: shape.outputs,
                a: try a ?? frozen(\.a, earlier, rank, shape), outputMajorB: sums.meansOfColumns(b, by: divisors),
                bias: bias)
        } else {
            mean = ModuleFactors(
                rank: rank, inputs: shape.inputs, outputs: shape.outputs,
                a: try a ?? frozen(\.a, earlier, rank, shape), b: try frozen(\.b, earlier, rank, shape), bias: bias)
        }
        if let earlier { mean.keep(earlier, where: divisors.map { $0 != nil }, factors) }
        return mean
    }

    private func meanOfA(
        _ module: ModuleRound, _ coefficients: Coverage.Coefficients, _ earlier: ModuleFactors?
    ) -> [Float] {
        let inputs = module.shape.inputs
        var a = sum(
            zip(module.members, coefficients.ofClients).compactMap { member, c in
                member.module.a.map { ($0, c.map { $0 * member.stepShare }) }
            },
            count: module.shape.maximumRank * inputs, pool: module.pool
        ) { accumulateRows($0, columns: inputs, into: $1) }
        guard module.isClipped, let earlier else { return a }
        let rests = module.rests(coefficients).prefix(earlier.rank).map { Float($0) }
        a.withUnsafeMutableBufferPointer { a in
            earlier.a.withUnsafeBufferPointer { last in
                guard let a = a.baseAddress, let last = last.baseAddress else { return }
                for (component, rest) in rests.enumerated() where rest != 0 {
                    let (row, lastRow) = (a + component * inputs, last + component * inputs)
                    for index in 0..<inputs { row[index] += rest * lastRow[index] }
                }
            }
        }
        return a
    }

    /// Sums B in the files' order, in one pass over each, and transposes it once.
    private func outputMajorMeanOfB(
        _ module: ModuleRound, _ coefficients: Coverage.Coefficients, _ earlier: ModuleFactors?
    ) -> [Float] {
        let (rank, outputs) = (module.shape.maximumRank, module.shape.outputs)
        var b = sum(
            zip(module.members, coefficients.ofClients).compactMap { member, c in
                member.module.b.map { ($0, c.map { $0 * member.stepShare * (member.scale / module.scale) }) }
            },
            count: rank * outputs, pool: module.pool
        ) { accumulateColumns($0, columns: rank, into: $1) }
        guard module.isClipped, let earlier else { return b }
        let last = earlier.outputMajorB()
        let rests = module.rests(coefficients).prefix(earlier.rank).map { Float($0) }
        b.withUnsafeMutableBufferPointer { b in
            rests.withUnsafeBufferPointer { rests in
                last.withUnsafeBufferPointer { last in
                    guard let b = b.baseAddress, let last = last.baseAddress, let rests = rests.baseAddress else {
                        return
                    }
                    for output in 0..<outputs {
                        let (row, lastRow) = (b + output * rank, last + output * earlier.rank)
                        for component in 0..<earlier.rank { row[component] += rests[component] * lastRow[component] }
                    }
                }
            }
        }
        return b
    }

    /// The earlier value of a factor that no client trained.
    private func frozen(
        _ factor: KeyPath<ModuleFactors, [Float]>, _ earlier: ModuleFactors?, _ rank: Int, _ shape: ModuleShape
    ) throws(AggregationError) -> [Float] {
        guard let earlier, earlier.rank == rank else { throw .noEarlier(module: shape.name) }
        return earlier[keyPath: factor]
    }
}

extension ModuleShape {
    var noBias: [Float] { [Float](repeating: 0, count: outputs) }
}

extension ModuleRound {
    /// Σ_k p_k·(s_k/s_R)·bias_k: a bias is one vector, so all clients that hold the module have it.
    func meanBias(earlier: ModuleFactors?) -> [Float] {
        guard isHeld else { return earlier?.bias ?? shape.noBias }
        var mean = sum(
            zip(members, shares).compactMap { member, share in
                member.module.bias.map { ($0, [share * member.stepShare * (member.scale / scale)]) }
            }, count: shape.outputs, pool: pool
        ) { accumulateRows($0, columns: shape.outputs, into: $1) }
        if let last = earlier?.bias {
            mean.add(last, times: zip(members, shares).reduce(0) { $0 + $1.1 * (1 - $1.0.stepShare) })
        }
        return mean
    }

    /// Whether any member's step is shortened.
    var isClipped: Bool { members.contains { $0.stepShare < 1 } }

    /// Σ_k c_ki·(1 − λ_k) of every component: what remains of the last adapter where steps are shortened.
    func rests(_ coefficients: Coverage.Coefficients) -> [Double] {
        var rests = [Double](repeating: 0, count: shape.maximumRank)
        for (member, c) in zip(members, coefficients.ofClients) where member.stepShare < 1 {
            for (component, c) in c.enumerated() { rests[component] += c * (1 - member.stepShare) }
        }
        return rests
    }
}

/// Adds weighted tensors into an array of zeros with one of the kernels.
func sum(
    _ terms: [(tensor: TensorView, coefficients: [Double])], count: Int, pool: FloatPool,
    by kernel: ([WeightedMatrix], UnsafeMutableBufferPointer<Float>) -> Void
) -> [Float] {
    // A client of weight zero adds nothing and is not read.
    let terms = terms.filter { $0.coefficients.contains { $0 != 0 } }
    return TensorView.withBytes(of: terms.map(\.tensor)) { lent in
        let matrices = zip(terms, lent).map { term, lent in
            WeightedMatrix(
                bytes: lent.bytes, fetch: term.tensor.reader, storage: StoredReal(term.tensor),
                channels: WeightedMatrix.Channels(lent), coefficients: term.coefficients.map { Float($0) })
        }
        var sums = pool.take(count)
        sums.withUnsafeMutableBufferPointer { target in
            target.update(repeating: 0)
            kernel(matrices, target)
        }
        return sums
    }
}

extension StoredReal {
    init(_ tensor: TensorView) {
        switch (tensor.messageBits, tensor.type) {
        case (.eight, _): self = .quantised8
        case (.four, _): self = .quantised4
        case (nil, .f64): self = .float64
        case (nil, .f32): self = .float32
        case (nil, .f16): self = .float16
        case (nil, .bf16): self = .bfloat16
        }
    }
}

extension WeightedMatrix.Channels {
    init?(_ lent: TensorView.Lent) {
        guard let scales = lent.scales, let minima = lent.minima else { return nil }
        self.init(scales: scales, minima: minima)
    }
}

extension ModuleFactors {
    /// Keeps the earlier value of every component that no client covers.
    fileprivate mutating func keep(_ earlier: ModuleFactors, where isCovered: [Bool], _ factors: FactorSet) {
        for (component, isCovered) in isCovered.enumerated() where !isCovered {
            replaceComponent(component, with: earlier, factors)
        }
    }

    /// Replaces a component by another adapter's, if that has it.
    fileprivate mutating func replaceComponent(_ component: Int, with other: ModuleFactors, _ factors: FactorSet) {
        guard component < other.rank else { return }
        if factors.contains(.a) {
            let row = component * inputs..<(component + 1) * inputs
            a.replaceSubrange(row, with: other.a[row])
        }
        if factors.contains(.b) {
            let column = component * outputs..<(component + 1) * outputs
            b.replaceSubrange(column, with: other.b[column])
        }
    }
}
