import LinearAlgebra

/// DoRA (arXiv 2402.09353): a layer's rows as magnitudes and directions, y = m / ‖W + s·B·A‖ ⊙ (W + s·B·A)·x.
///
/// The norm of a row is taken as constant in the gradients, as in the paper and in PEFT. It is
/// ‖W‖² + 2s·B·(A·Wᵀ) + s²·B·(A·Aᵀ)·Bᵀ, so no sum of the two matrices is formed: where rows of W are widened for a product,
/// they are multiplied by Aᵀ as well.
final class WeightDirections {
    /// (1 × outputs)
    let magnitude: TrainedTensor
    /// (outputs): m / norm of the last `update`.
    let factors: FloatBlock
    /// (outputs): 1 / norm.
    private let inverses: FloatBlock
    /// (outputs): ‖W‖² of each row; negative where it was not computed yet. W is frozen.
    private let squares: UnsafeMutableBufferPointer<Double>
    /// (rank × rank): A·Aᵀ
    private let gram: FloatBlock

    init(_ magnitude: TrainedTensor, rank: Int) {
        self.magnitude = magnitude
        factors = FloatBlock(count: magnitude.columns)
        inverses = FloatBlock(count: magnitude.columns)
        squares = .allocate(capacity: magnitude.columns)
        squares.initialize(repeating: -1)
        gram = FloatBlock(count: rank * rank)
    }

    deinit { squares.deallocate() }

    /// Before `update`, in every forward pass.
    func begin(_ lora: LoRALayer) {
        MatrixProduct.accumulate(
            into: gram.matrix(rows: lora.rank, columns: lora.rank), lora.a.matrix, .asGiven, lora.a.matrix, .transposed)
    }

    /// Computes the norms of some rows. Different rows may be computed in parallel.
    ///
    /// - Parameter weight: these rows of W (count × inputs).
    func update(_ rows: Range<Int>, _ weight: MatrixView, _ lora: LoRALayer) {
        let product = FloatBlock(count: rows.count * lora.rank)
        MatrixProduct.accumulate(
            into: product.matrix(rows: rows.count, columns: lora.rank), weight, .asGiven, lora.a.matrix, .transposed)
        let (b, outputs, scale) = (lora.b.values.floats, lora.b.columns, Double(lora.scale))
        for (index, row) in rows.enumerated() {
            if squares[row] < 0 {
                let values = weight.base + index * weight.stride
                squares[row] = (0..<weight.columns).reduce(0) { $0 + Double(values[$1]) * Double(values[$1]) }
            }
            var (mixed, own) = (0.0, 0.0)
            for one in 0..<lora.rank {
                let factor = Double(b[one * outputs + row])
                mixed += factor * Double(product.floats[index * lora.rank + one])
                for other in 0..<lora.rank {
                    own += factor * Double(b[other * outputs + row]) * Double(gram.floats[one * lora.rank + other])
                }
            }
            let norm = max(0, squares[row] + scale * (2 * mixed + scale * own)).squareRoot()
            inverses.floats[row] = Float(1 / norm)
            factors.floats[row] = Float(Double(magnitude.values.floats[row]) / norm)
        }
    }

    /// output ← bias + factors ⊙ plain, or that is added to it, for some columns of the layer.
    func apply(
        _ plain: MatrixView, columns: Range<Int>, bias: UnsafeBufferPointer<Float>?, into output: MutableMatrixView,
        isAdded: Bool
    ) {
        let factors = factors.floats
        for row in 0..<plain.rows {
            let (source, target) = (plain.base + row * plain.stride, output.base + row * output.stride)
            for (index, column) in columns.enumerated() {
                let value = factors[column] * source[index] + (bias?[index] ?? 0)
                target[index] = isAdded ? target[index] + value : value
            }
        }
    }

    /// The gradient of the plain output, and a part's share of the gradient of the magnitudes.
    ///
    /// - Parameters:
    ///   - gradient: of the layer's output; `plain` is the output before the factors (rows × outputs).
    ///   - target: becomes factors ⊙ gradient.
    ///   - sums: becomes the share (outputs).
    func propagate(
        _ gradient: MatrixView, _ plain: MatrixView, into target: MutableMatrixView, sums: UnsafeMutablePointer<Float>
    ) {
        let (factors, inverses) = (factors.floats, inverses.floats)
        sums.update(repeating: 0, count: gradient.columns)
        for row in 0..<gradient.rows {
            let (slope, value) = (gradient.base + row * gradient.stride, plain.base + row * plain.stride)
            let result = target.base + row * target.stride
            for column in 0..<gradient.columns {
                sums[column] += slope[column] * value[column] * inverses[column]
                result[column] = slope[column] * factors[column]
            }
        }
    }

    /// ‖W‖ of each row: the magnitudes that change nothing.
    static func norms(of rows: any RowReader) -> [Float] {
        let step = max(1, 65_536 / rows.columns)
        let block = FloatBlock(count: min(step, rows.rows) * rows.columns)
        return withExtendedLifetime(block) {
            stride(from: 0, to: rows.rows, by: step).flatMap { first -> [Float] in
                let some = first..<min(first + step, rows.rows)
                guard let base = block.floats.baseAddress else { return [] }
                rows.read(rows: some, into: base)
                return some.map { row in
                    let values = base + (row - first) * rows.columns
                    return Float(
                        (0..<rows.columns).reduce(0.0) { $0 + Double(values[$1]) * Double(values[$1]) }.squareRoot())
                }
            }
        }
    }
}
