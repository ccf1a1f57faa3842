import AdapterFormat
import AdapterOperations
import LinearAlgebra

/// The trainable factors of one linear layer, stored by rank component, with their gradients.
struct LoRALayer {
    let rank: Int
    let scale: Float
    /// (rank × inputs)
    let a: TrainedTensor
    /// B transposed: (rank × outputs)
    let b: TrainedTensor
    /// (1 × outputs): added to B·A·x before the scale; nil where the adapter has none. It is trained with B.
    let bias: TrainedTensor?

    init(_ factors: ModuleFactors, scale: Double) {
        rank = factors.rank
        self.scale = Float(scale)
        a = TrainedTensor(factors.a, rows: factors.rank, columns: factors.inputs)
        b = TrainedTensor(factors.b, rows: factors.rank, columns: factors.outputs)
        bias = factors.bias.map { TrainedTensor($0, rows: 1, columns: factors.outputs) }
    }

    private init(rank: Int, scale: Float, a: TrainedTensor, b: TrainedTensor, bias: TrainedTensor?) {
        self.rank = rank
        self.scale = scale
        self.a = a
        self.b = b
        self.bias = bias
    }

    /// The same factors with gradients of their own, for another part of the batch.
    var replica: LoRALayer {
        LoRALayer(rank: rank, scale: scale, a: a.replica, b: b.replica, bias: bias?.replica)
    }

    /// The present values of the factors.
    var factors: ModuleFactors {
        ModuleFactors(
            rank: rank, inputs: a.columns, outputs: b.columns, a: Array(a.values.floats), b: Array(b.values.floats),
            bias: bias.map { Array($0.values.floats) })
    }

    subscript(factor: TrainingPlan.Factor) -> TrainedTensor {
        switch factor {
        case .a: a
        case .b: b
        }
    }

    /// Adds the gradient of μ·‖B·A‖² to the gradients.
    ///
    /// ∂/∂A = 2μ·(Bᵀ·B)·A and ∂/∂B = 2μ·B·(A·Aᵀ): only rank × rank matrices are formed.
    func penalise(_ weight: Float) {
        let block = FloatBlock(count: rank * rank)
        withExtendedLifetime(block) {
            let gram = block.matrix(rows: rank, columns: rank)
            MatrixProduct.accumulate(into: gram, b.matrix, .asGiven, b.matrix, .transposed)
            MatrixProduct.accumulate(
                into: a.gradientMatrix, keep: 1, scale: 2 * weight, gram.readOnly, .asGiven, a.matrix, .asGiven)
            MatrixProduct.accumulate(into: gram, a.matrix, .asGiven, a.matrix, .transposed)
            MatrixProduct.accumulate(
                into: b.gradientMatrix, keep: 1, scale: 2 * weight, gram.readOnly, .asGiven, b.matrix, .asGiven)
        }
    }

    /// Adds the gradient of λ·‖B[:, g:]‖·‖A[g:, :]‖ to the gradients, where g is the number of components that the
    /// pruning keeps.
    ///
    /// ∂/∂A[g:] = λ·(‖B[:, g:]‖/‖A[g:]‖)·A[g:], and for B likewise. Nothing is added where a norm is zero.
    func penaliseTail(_ pruning: RankPruning) {
        guard let kept = pruning.kept(ofRank: rank) else { return }
        let (tailOfA, tailOfB) = (kept * a.columns..<a.values.floats.count, kept * b.columns..<b.values.floats.count)
        let (normOfA, normOfB) = (Self.norm(a, tailOfA), Self.norm(b, tailOfB))
        guard normOfA > 0, normOfB > 0 else { return }
        for (factor, tail, ratio) in [(a, tailOfA, normOfB / normOfA), (b, tailOfB, normOfA / normOfB)] {
            let weight = Float(pruning.penalty * ratio)
            for index in tail { factor.gradient.floats[index] += weight * factor.values.floats[index] }
        }
    }

    private static func norm(_ factor: TrainedTensor, _ range: Range<Int>) -> Double {
        factor.values.floats[range].reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
    }
}
