package import AdapterFormat

/// A base model that is trained and scored in this process; which one a federation names is decided here alone.
package struct NativeModel: Sendable {
    let base: any FrozenModel

    /// - Parameters:
    ///   - name: such as `mlp-64-200-200-10` or `cnn-28x28x1-16k5-32k5-128-10`.
    ///   - seed: draws the weights of a model that is known by name alone.
    package init(name: String, seed: UInt64) throws(TrainingError) {
        if name.hasPrefix("cnn") {
            base = ConvolutionalBase(shape: try ConvolutionalShape(name: name), seed: seed)
        } else {
            base = PerceptronBase(shape: try PerceptronShape(name: name), seed: seed)
        }
    }

    /// A classifier of texts on a pretrained encoder.
    ///
    /// - Parameter dense: the shapes of the tensors that the federation trains in full: the classifier's.
    package init(_ encoder: BertEncoder, dense: [String: [Int]]) throws(TrainingError) {
        base = try BertBase(encoder, dense: dense)
    }

    /// A classifier of texts on a pretrained encoder, with as many classes as an adapter's classifier has, or the encoder's
    /// own where the adapter has none.
    package init(_ encoder: BertEncoder, for adapter: AdapterFile) throws(TrainingError) {
        let dense = adapter.dense.map { ($0.name, $0.values.shape) }
        let own = encoder.head.map { ($0.key, $0.value.shape) }
        try self.init(encoder, dense: Dictionary(dense + own) { first, _ in first })
    }

    /// The layers that an adapter may change, in the model's order.
    package var layers: [FrozenLayer] { base.layers }

    /// The model with a client's data, read from `path` as the model takes them.
    ///
    /// - Throws: `DataSetError` where the file is no such data, `TrainingError` where they do not fit the model.
    package func task(data path: String) throws -> NativeTask { try Self.task(base, data: path) }

    /// The model with examples that are in memory.
    package func task(_ examples: any ExampleSet) throws(TrainingError) -> NativeTask { try Self.task(base, examples) }

    private static func task(_ base: some FrozenModel, data path: String) throws -> NativeTask {
        NativeTask(try ModelTask(base: base, examples: try base.examples(path: path)))
    }

    private static func task<Base: FrozenModel>(
        _ base: Base, _ examples: any ExampleSet
    ) throws(TrainingError) -> NativeTask {
        guard let examples = examples as? Base.Model.Examples else {
            throw .data(reason: "the model takes \(Base.Model.Examples.self), and \(type(of: examples)) came")
        }
        return NativeTask(try ModelTask(base: base, examples: examples))
    }
}
