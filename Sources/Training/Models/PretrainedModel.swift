package import AdapterFormat
package import TrainingData

/// A pretrained model from its files, before it is known which head a federation trains.
package protocol PretrainedModel: Sendable {
    associatedtype Examples: ExampleSet

    /// The values of `model_type` in a folder's `config.json`.
    static var modelTypes: [String] { get }
    /// Whether the model may also be one file.
    static var readsFiles: Bool { get }

    /// - Parameter path: a folder in the form of transformers' `save_pretrained`, or a file.
    init(path: String) throws(TrainingError)

    /// The files that hold the weights, in the order of their names. They identify the base.
    var weightFiles: [String] { get }

    /// What a configuration of PEFT says about adapters of this model, beside the factors.
    var peftKeys: [(key: String, value: String)] { get }

    /// Reads a client's data.
    func examples(path: String) throws -> Examples

    /// The shapes of the model's own head, by name; empty where it has none.
    var ownHead: [String: [Int]] { get }
    /// The shapes of a head with this many classes.
    func head(classes: Int) -> [String: [Int]]

    /// What writes text with an adapter.
    ///
    /// - Parameters:
    ///   - adapter: nil for the base alone.
    ///   - merge: path of an adapter whose product, at scale 1, is added to the base first.
    ///   - capacity: the most tokens of a text; nil for the model's own limit, or 4096 where that is above.
    /// - Throws: where the model predicts classes.
    func writer(
        adapter: ScoredAdapter?, merge: String?, template: String?, capacity: Int?
    ) throws(TrainingError) -> TextWriter

    /// - Parameter dense: the shapes of the tensors that a federation trains in full, which are the head's.
    func model(dense: [String: [Int]]) throws(TrainingError) -> NativeModel
}

extension PretrainedModel {
    package static var readsFiles: Bool { false }

    package func writer(
        adapter: ScoredAdapter?, merge: String?, template: String?, capacity: Int?
    ) throws(TrainingError) -> TextWriter {
        throw .model(weightFiles[0], reason: "it predicts classes; only a language model writes text")
    }

    /// The model with as many classes as an adapter's head has. Where the adapter has no head, the model's own is
    /// used.
    package func model(for adapter: AdapterFile) throws(TrainingError) -> NativeModel {
        let dense = adapter.dense.map { ($0.name, $0.values.shape) }
        return try model(dense: Dictionary(dense) { first, _ in first }.merging(ownHead) { first, _ in first })
    }
}
