package import AdapterFormat
package import TrainingData

/// A pretrained model from a folder, before it is known what a federation trains beside its layers.
package protocol PretrainedModel: Sendable {
    associatedtype Examples: ExampleSet

    /// What `model_type` of the folder's `config.json` is.
    static var modelType: String { get }

    init(folder: String) throws(TrainingError)

    /// Reads a client's data.
    func examples(path: String) throws -> Examples

    /// The shapes of the head that the folder has, by name; empty where it has none.
    var ownHead: [String: [Int]] { get }
    /// The shapes of a head for so many classes.
    func head(classes: Int) -> [String: [Int]]

    /// - Parameter dense: the shapes of the tensors that a federation trains in full: the head's.
    func model(dense: [String: [Int]]) throws(TrainingError) -> NativeModel
}

extension PretrainedModel {
    /// The model with as many classes as an adapter's head has, or the folder's own where the adapter has none.
    package func model(for adapter: AdapterFile) throws(TrainingError) -> NativeModel {
        let dense = adapter.dense.map { ($0.name, $0.values.shape) }
        return try model(dense: Dictionary(dense) { first, _ in first }.merging(ownHead) { first, _ in first })
    }
}
