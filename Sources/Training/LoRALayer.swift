import AdapterFormat
import LinearAlgebra

/// The trainable factors of one linear layer, held by rank component, with their gradients and velocities.
struct LoRALayer {
    /// One factor: what is trained, where its gradient goes, and what momentum remembers.
    struct Factor {
        let values: FloatBlock
        let gradient: FloatBlock
        let velocity: FloatBlock
        let rows: Int
        let columns: Int

        init(_ values: [Float], rows: Int, columns: Int) {
            self.values = FloatBlock(count: values.count)
            gradient = FloatBlock(count: values.count)
            velocity = FloatBlock(count: values.count)
            self.rows = rows
            self.columns = columns
            _ = self.values.floats.update(from: values)
        }

        var matrix: MatrixView { values.matrix(rows: rows, columns: columns).readOnly }
        var gradientMatrix: MutableMatrixView { gradient.matrix(rows: rows, columns: columns) }

        /// velocity ← momentum·velocity + gradient; values ← values − rate·velocity, as torch's SGD has it.
        func descend(rate: Float, momentum: Float) {
            let (values, gradient, velocity) = (values.floats, gradient.floats, velocity.floats)
            for index in values.indices {
                velocity[index] = momentum * velocity[index] + gradient[index]
                values[index] -= rate * velocity[index]
            }
        }
    }

    let rank: Int
    let scale: Float
    /// (rank × inputs)
    let a: Factor
    /// B transposed: (rank × outputs)
    let b: Factor

    init(_ factors: ModuleFactors, scale: Double) {
        rank = factors.rank
        self.scale = Float(scale)
        a = Factor(factors.a, rows: factors.rank, columns: factors.inputs)
        b = Factor(factors.b, rows: factors.rank, columns: factors.outputs)
    }

    /// The factors as they stand.
    var factors: ModuleFactors {
        ModuleFactors(
            rank: rank, inputs: a.columns, outputs: b.columns, a: Array(a.values.floats), b: Array(b.values.floats))
    }

    /// Adds the gradient of μ·‖B·A‖² to the gradients; `gram` holds at least rank² numbers.
    ///
    /// ∂/∂A = 2μ·(Bᵀ·B)·A and ∂/∂B = 2μ·B·(A·Aᵀ): only rank × rank matrices are formed.
    func penalise(_ weight: Float, gram: FloatBlock) {
        let gram = gram.matrix(rows: rank, columns: rank)
        MatrixProduct.accumulate(into: gram, b.matrix, .asGiven, b.matrix, .transposed)
        MatrixProduct.accumulate(
            into: a.gradientMatrix, keep: 1, scale: 2 * weight, gram.readOnly, .asGiven, a.matrix, .asGiven)
        MatrixProduct.accumulate(into: gram, a.matrix, .asGiven, a.matrix, .transposed)
        MatrixProduct.accumulate(
            into: b.gradientMatrix, keep: 1, scale: 2 * weight, gram.readOnly, .asGiven, b.matrix, .asGiven)
    }
}
