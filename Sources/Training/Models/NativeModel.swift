package import TrainingData

/// A base model of any kind that this process trains and scores.
package struct NativeModel: Sendable {
    let base: any FrozenModel

    package init(_ base: any FrozenModel) { self.base = base }

    /// The layers that an adapter may change, in the model's order.
    package var layers: [FrozenLayer] { base.layers }
    /// The layers that adapters usually change.
    package var usualLayers: [FrozenLayer] { base.usualLayers }
    /// The shapes of the tensors that are trained in full, by name.
    package var dense: [String: [Int]] { Dictionary(base.dense.map { ($0.name, $0.shape) }) { first, _ in first } }
    package var classes: Int { base.classes }
    /// Whether it predicts tokens, each from those before it, and not classes of examples.
    package var predictsTokens: Bool { base.predictsTokens }
    /// The number of features of an example; nil for a model with other examples.
    package var features: Int? { base.features }

    /// The floating-point operations in the matrix products of one training step: two for each multiplication and its
    /// addition.
    ///
    /// - Parameters:
    ///   - ranks: the ranks of the adapted layers, in the model's order.
    ///   - length: the length of each example, where examples have lengths.
    package func stepOperations(ranks: [Int], batch: Int, length: Int) -> Double {
        base.stepOperations(ranks: ranks, batch: batch, length: length)
    }

    /// The model with a client's data, read from `path`.
    ///
    /// - Throws: `DataSetError` where the file is no such data, `TrainingError` where the data do not fit the model.
    package func task(data path: String) throws -> NativeTask { try Self.task(base, data: path) }

    /// The model with examples from memory.
    package func task(_ examples: any ExampleSet) throws(TrainingError) -> NativeTask { try Self.task(base, examples) }

    private static func task(_ base: some FrozenModel, data path: String) throws -> NativeTask {
        NativeTask(try ModelTask(base: base, examples: try base.examples(path: path)))
    }

    private static func task<Base: FrozenModel>(
        _ base: Base, _ examples: any ExampleSet
    ) throws(TrainingError) -> NativeTask {
        guard let examples = examples as? Base.Examples else {
            throw .data(reason: "the model takes \(Base.Examples.self), and \(type(of: examples)) came")
        }
        return NativeTask(try ModelTask(base: base, examples: examples))
    }
}
