import LinearAlgebra

/// A multilayer perceptron under many adapters at once.
final class PerceptronScorer: AdapterScorer {
    let groups: [Range<Int>]
    /// For each group, one a layer.
    private let steps: [[StackedLinear]]
    private let widths: [Int]
    private let input: FeatureBatch
    /// One a layer, for the largest group (adapters·batch × outputs).
    private let outputs: [FloatBlock]

    /// - Precondition: there is at least one adapter.
    init(_ adapted: [[AdaptedLayer]], biases: [FrozenTensor], featureScale: Float, batchLimit: Int) {
        let groups = Self.groups(of: adapted.count, atMost: 64)
        self.groups = groups
        let layers = adapted[0]
        widths = layers.map(\.outputs)
        steps = groups.map { group in
            layers.indices.map { index in
                StackedLinear(adapted[group].map { $0[index] }, bias: biases[index], rowLimit: batchLimit)
            }
        }
        input = FeatureBatch(limit: batchLimit, width: layers[0].inputs, scale: featureScale)
        let largest = groups.map(\.count).max() ?? 0
        outputs = layers.map { FloatBlock(count: largest * batchLimit * $0.outputs) }
    }

    func logits(_ examples: DataSet, _ indices: ArraySlice<Int>, group: Int) -> [MatrixView] {
        input.gather(examples, indices)
        let (rows, adapters, steps) = (indices.count, groups[group].count, steps[group])
        for (index, step) in steps.enumerated() {
            let output = outputs[index].matrix(rows: adapters * rows, columns: widths[index])
            let rectified = index < steps.count - 1
            if index == 0 {
                step.forward(shared: input.matrix, into: output, rectified: rectified)
            } else {
                let below = outputs[index - 1].matrix(rows: adapters * rows, columns: widths[index - 1])
                step.forward(below.readOnly, rows: rows, into: output, rectified: rectified)
            }
        }
        let classes = widths[widths.count - 1]
        return (0..<adapters).map {
            outputs[steps.count - 1].matrix(at: $0 * rows * classes, rows: rows, columns: classes).readOnly
        }
    }
}
