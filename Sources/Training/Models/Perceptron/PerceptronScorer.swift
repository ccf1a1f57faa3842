import LinearAlgebra
import TrainingData

/// A multilayer perceptron under many adapters at once.
final class PerceptronScorer: AdapterScorer {
    let groups: [Range<Int>]
    private let adapted: [[AdaptedLayer]]
    private let biases: [FrozenTensor]
    private let batchLimit: Int
    /// The current group's steps, one for each layer.
    private var steps: [StackedLinear] = []
    private var group: Int?
    private let widths: [Int]
    private let input: FeatureBatch
    /// One for each layer, sized for the largest group (adapters·batch × outputs).
    private let outputs: [FloatBlock]

    /// - Precondition: there is at least one adapter.
    init(_ adapted: [[AdaptedLayer]], biases: [FrozenTensor], featureScale: Float, batchLimit: Int) {
        let groups = Self.groups(of: adapted.count, atMost: 64)
        self.groups = groups
        let layers = adapted[0]
        widths = layers.map(\.outputs)
        self.adapted = adapted
        self.biases = biases
        self.batchLimit = batchLimit
        input = FeatureBatch(limit: batchLimit, width: layers[0].inputs, scale: featureScale)
        let largest = groups.map(\.count).max() ?? 0
        outputs = layers.map { FloatBlock(count: largest * batchLimit * $0.outputs) }
    }

    func logits(_ examples: DataSet, _ indices: ArraySlice<Int>, group: Int) -> [MatrixView] {
        input.gather(examples, indices)
        if group != self.group {
            steps = biases.indices.map { index in
                StackedLinear(adapted[groups[group]].map { $0[index] }, bias: biases[index], rowLimit: batchLimit)
            }
            self.group = group
        }
        let (rows, adapters) = (indices.count, groups[group].count)
        for (index, step) in steps.enumerated() {
            let output = outputs[index].matrix(rows: adapters * rows, columns: widths[index])
            let appliesReLU = index < steps.count - 1
            if index == 0 {
                step.forward(shared: input.matrix, into: output, appliesReLU: appliesReLU)
            } else {
                let below = outputs[index - 1].matrix(rows: adapters * rows, columns: widths[index - 1])
                step.forward(below.readOnly, rows: rows, into: output, appliesReLU: appliesReLU)
            }
        }
        let classes = widths[widths.count - 1]
        return (0..<adapters).map {
            outputs[steps.count - 1].matrix(at: $0 * rows * classes, rows: rows, columns: classes).readOnly
        }
    }
}
