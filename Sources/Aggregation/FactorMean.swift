import AdapterFormat
import LinearAlgebra

/// Publishes the weighted means of the factors: G_A[i] = Σ_k c_ki·a_ki and G_B[:, i] = Σ_k c_ki·(s_k/s_R)·b_ki.
///
/// A component without a coefficient, and the bias of a module that nobody holds, keep their earlier values.
struct FactorMean: Projection {
    let coverage: Coverage

    func needsEarlier(_ module: ModuleRound) -> Bool {
        coefficients(of: module).isCovered.contains(false)
    }

    func publish(_ module: ModuleRound, earlier: ModuleFactors?) -> ModuleFactors {
        let shape = module.shape
        let coefficients = coefficients(of: module)
        let members = zip(module.members, coefficients.ofClients)
        let a = sum(
            members.compactMap { member, c in member.module.a.map { ($0, c) } },
            count: shape.maximumRank * shape.inputs
        ) { accumulateRows($0, columns: shape.inputs, into: $1) }
        // B is summed as the files have it, in one pass over each, and transposed once.
        let b = sum(
            members.compactMap { member, c in member.module.b.map { ($0, c.map { $0 * member.ratio }) } },
            count: shape.maximumRank * shape.outputs
        ) { accumulateColumns($0, columns: shape.maximumRank, into: $1) }
        var mean = ModuleFactors(
            rank: shape.maximumRank, inputs: shape.inputs, outputs: shape.outputs, a: a, outputMajorB: b,
            bias: shape.hasBias ? bias(of: module, earlier: earlier) : nil)
        if let earlier {
            for (component, isCovered) in coefficients.isCovered.enumerated() where !isCovered {
                mean.replaceComponent(component, with: earlier)
            }
        }
        return mean
    }

    private func coefficients(of module: ModuleRound) -> Coverage.Coefficients {
        coverage.coefficients(
            weights: module.members.map(\.weight), ranks: module.members.map(\.module.rank),
            rank: module.shape.maximumRank)
    }

    /// Σ_k p_k·(s_k/s_R)·bias_k: a bias is one vector, so every client that holds the module reaches it.
    private func bias(of module: ModuleRound, earlier: ModuleFactors?) -> [Float] {
        let total = module.members.reduce(0) { $0 + $1.weight }
        guard total > 0 else {
            return earlier?.bias ?? [Float](repeating: 0, count: module.shape.outputs)
        }
        return sum(
            module.members.compactMap { member in
                member.module.bias.map { ($0, [member.weight / total * member.ratio]) }
            }, count: module.shape.outputs
        ) { accumulateRows($0, columns: module.shape.outputs, into: $1) }
    }
}

/// Adds weighted tensors into a new array of zeros by one of the kernels.
func sum(
    _ terms: [(tensor: TensorView, coefficients: [Double])], count: Int,
    by kernel: ([WeightedMatrix], UnsafeMutableBufferPointer<Float>) -> Void
) -> [Float] {
    // A client whose weight is zero adds nothing, and is not read.
    let terms = terms.filter { $0.coefficients.contains { $0 != 0 } }
    return TensorView.withBytes(of: terms.map(\.tensor)) { bytes in
        let matrices = zip(terms, bytes).map { term, bytes in
            WeightedMatrix(
                bytes: bytes, fetch: term.tensor.copyBytes(at:into:), storage: StoredReal(term.tensor.type),
                coefficients: term.coefficients.map { Float($0) })
        }
        return [Float](unsafeUninitializedCapacity: count) { target, initialized in
            target.update(repeating: 0)
            kernel(matrices, UnsafeMutableBufferPointer(rebasing: target[..<count]))
            initialized = count
        }
    }
}

extension StoredReal {
    init(_ type: ScalarType) {
        switch type {
        case .f64: self = .float64
        case .f32: self = .float32
        case .f16: self = .float16
        case .bf16: self = .bfloat16
        }
    }
}

extension ModuleFactors {
    /// Puts another adapter's component, where it has one, in the place of this one's.
    fileprivate mutating func replaceComponent(_ component: Int, with other: ModuleFactors) {
        guard component < other.rank else { return }
        let row = component * inputs..<(component + 1) * inputs
        let column = component * outputs..<(component + 1) * outputs
        a.replaceSubrange(row, with: other.a[row])
        b.replaceSubrange(column, with: other.b[column])
    }
}
