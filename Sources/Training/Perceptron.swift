import Glibc
import LinearAlgebra

/// A frozen multilayer perceptron with LoRA on its layers: y = x·Wᵀ + bias + s·(x·Aᵀ)·Bᵀ, ReLU between layers.
///
/// In a sparse stage a layer has a few trained weights in place of LoRA; they are part of W.
///
/// All memory is taken for one batch size when it is made; a step allocates nothing.
final class Perceptron {
    /// The sums over one batch.
    struct BatchResult {
        /// Cross-entropy in nats, summed over the examples.
        var loss: Double
        var correct: Int
    }

    /// What one layer needs of a batch.
    private struct Workspace {
        /// (batch × outputs): the output, after ReLU where one follows, and its gradient.
        let output: FloatBlock
        let gradient: FloatBlock
        /// (batch × rank): x·Aᵀ, and its gradient.
        let hidden: FloatBlock
        let hiddenGradient: FloatBlock
    }

    let base: PerceptronBase
    /// One a layer; nil where the adapter has none.
    let adapters: [LoRALayer?]
    /// One a layer; nil where none of its weights is trained.
    let sparse: [SparseLayer?]
    let batchLimit: Int
    private let workspaces: [Workspace]
    private let gram: FloatBlock

    init(base: PerceptronBase, adapters: [LoRALayer?] = [], sparse: [SparseLayer?] = [], batchLimit: Int) {
        let count = base.layers.count
        self.base = base
        self.adapters = adapters.isEmpty ? .init(repeating: nil, count: count) : adapters
        self.sparse = sparse.isEmpty ? .init(repeating: nil, count: count) : sparse
        self.batchLimit = batchLimit
        workspaces = zip(base.shape.layers, self.adapters).map { layer, adapter in
            let outputs = batchLimit * layer.outputs
            let hidden = batchLimit * (adapter?.rank ?? 0)
            return Workspace(
                output: FloatBlock(count: outputs), gradient: FloatBlock(count: outputs),
                hidden: FloatBlock(count: hidden), hiddenGradient: FloatBlock(count: hidden))
        }
        let rank = self.adapters.reduce(0) { max($0, $1?.rank ?? 0) }
        gram = FloatBlock(count: rank * rank)
    }

    /// Classifies `rows` examples (rows × inputs) and compares with `labels`; afterwards the last layer's gradient stands
    /// ready for `backward`.
    func forward(_ input: MatrixView, labels: UnsafeBufferPointer<Int>) -> BatchResult {
        precondition(input.rows <= batchLimit && labels.count == input.rows, "a batch of \(input.rows) rows")
        var layerInput = input
        for index in base.layers.indices {
            let output = output(of: index, rows: input.rows)
            apply(index, to: layerInput, into: output)
            layerInput = output.readOnly
        }
        return compare(with: labels)
    }

    /// Fills the gradients of everything trained for the batch that `forward` has seen; of the mean loss plus the
    /// penalties.
    func backward(_ input: MatrixView, penalty: Float = 0, pruning: TrainingPlan.Pruning? = nil) {
        for index in base.layers.indices.reversed() {
            let layerInput = index == 0 ? input : output(of: index - 1, rows: input.rows).readOnly
            let gradient = gradient(of: index, rows: input.rows).readOnly
            var hiddenGradient: MatrixView?
            if let adapter = adapters[index] {
                let hidden = workspaces[index].hidden.matrix(rows: input.rows, columns: adapter.rank).readOnly
                let target = workspaces[index].hiddenGradient.matrix(rows: input.rows, columns: adapter.rank)
                MatrixProduct.accumulate(
                    into: adapter.b.gradientMatrix, scale: adapter.scale, hidden, .transposed, gradient, .asGiven)
                MatrixProduct.accumulate(
                    into: target, scale: adapter.scale, gradient, .asGiven, adapter.b.matrix, .transposed)
                MatrixProduct.accumulate(
                    into: adapter.a.gradientMatrix, target.readOnly, .transposed, layerInput, .asGiven)
                if penalty > 0 { adapter.penalise(penalty, gram: gram) }
                if let pruning { adapter.penaliseTail(pruning) }
                hiddenGradient = target.readOnly
            }
            sparse[index]?.collect(gradient, input: layerInput)
            guard index > 0 else { continue }
            passBack(gradient, hiddenGradient, through: index, rows: input.rows)
        }
    }

    /// Whether everything trained is a finite number.
    var isFinite: Bool {
        adapters.allSatisfy { $0.map { $0.a.isFinite && $0.b.isFinite } ?? true }
            && sparse.allSatisfy { $0?.delta.isFinite ?? true }
    }

    /// The last layer's output for the batch that `forward` has seen (rows × classes).
    func logits(rows: Int) -> MatrixView { output(of: base.layers.count - 1, rows: rows).readOnly }

    private func output(of layer: Int, rows: Int) -> MutableMatrixView {
        workspaces[layer].output.matrix(rows: rows, columns: base.shape.layers[layer].outputs)
    }

    private func gradient(of layer: Int, rows: Int) -> MutableMatrixView {
        workspaces[layer].gradient.matrix(rows: rows, columns: base.shape.layers[layer].outputs)
    }

    private func weight(of layer: Int) -> MatrixView {
        let shape = base.shape.layers[layer]
        return base.layers[layer].weight.matrix(rows: shape.outputs, columns: shape.inputs).readOnly
    }
}

extension Perceptron {
    private func apply(_ index: Int, to input: MatrixView, into output: MutableMatrixView) {
        let bias = base.layers[index].bias.floats
        for row in 0..<output.rows {
            let target = output.base + row * output.stride
            for column in 0..<output.columns { target[column] = bias[column] }
        }
        MatrixProduct.accumulate(into: output, keep: 1, input, .asGiven, weight(of: index), .transposed)
        if let adapter = adapters[index] {
            let hidden = workspaces[index].hidden.matrix(rows: input.rows, columns: adapter.rank)
            MatrixProduct.accumulate(into: hidden, input, .asGiven, adapter.a.matrix, .transposed)
            MatrixProduct.accumulate(
                into: output, keep: 1, scale: adapter.scale, hidden.readOnly, .asGiven, adapter.b.matrix, .asGiven)
        }
        guard index < base.layers.count - 1 else { return }
        for row in 0..<output.rows {
            let target = output.base + row * output.stride
            for column in 0..<output.columns { target[column] = max(target[column], 0) }
        }
    }

    /// Softmax cross-entropy of the last layer's output; its gradient, of the mean over the batch, is left behind.
    private func compare(with labels: UnsafeBufferPointer<Int>) -> BatchResult {
        let last = base.layers.count - 1
        let scores = output(of: last, rows: labels.count)
        let gradient = gradient(of: last, rows: labels.count)
        let share = 1 / Float(labels.count)
        var result = BatchResult(loss: 0, correct: 0)
        for row in 0..<scores.rows {
            let score = scores.base + row * scores.stride
            let target = gradient.base + row * gradient.stride
            var best = 0
            for column in 1..<max(scores.columns, 1) where score[column] > score[best] { best = column }
            let highest = score[best]
            var sum: Float = 0
            for column in 0..<scores.columns {
                target[column] = expf(score[column] - highest)
                sum += target[column]
            }
            for column in 0..<scores.columns { target[column] *= share / sum }
            target[labels[row]] -= share
            result.loss += Double(logf(sum) + highest - score[labels[row]])
            if best == labels[row] { result.correct += 1 }
        }
        return result
    }

    /// The gradient of the layer below: dY·W + dH·A, nothing where its ReLU was closed.
    private func passBack(_ gradient: MatrixView, _ hidden: MatrixView?, through index: Int, rows: Int) {
        let target = self.gradient(of: index - 1, rows: rows)
        MatrixProduct.accumulate(into: target, gradient, .asGiven, weight(of: index), .asGiven)
        if let adapter = adapters[index], let hidden {
            MatrixProduct.accumulate(into: target, keep: 1, hidden, .asGiven, adapter.a.matrix, .asGiven)
        }
        let below = output(of: index - 1, rows: rows)
        for row in 0..<rows {
            let values = target.base + row * target.stride
            let outputs = below.base + row * below.stride
            for column in 0..<target.columns where outputs[column] <= 0 { values[column] = 0 }
        }
    }
}
