package import AdapterFormat
package import TrainingData

/// A pretrained model from a folder, before it is known which head a federation trains.
package protocol PretrainedModel: Sendable {
    associatedtype Examples: ExampleSet

    /// The value of `model_type` in the folder's `config.json`.
    static var modelType: String { get }

    init(folder: String) throws(TrainingError)

    /// Reads a client's data.
    func examples(path: String) throws -> Examples

    /// The shapes of the folder's own head, by name; empty where it has none.
    var ownHead: [String: [Int]] { get }
    /// The shapes of a head with this many classes.
    func head(classes: Int) -> [String: [Int]]

    /// - Parameter dense: the shapes of the tensors that a federation trains in full, which are the head's.
    func model(dense: [String: [Int]]) throws(TrainingError) -> NativeModel
}

extension PretrainedModel {
    /// The model with as many classes as an adapter's head has. Where the adapter has no head, the folder's own is
    /// used.
    package func model(for adapter: AdapterFile) throws(TrainingError) -> NativeModel {
        let dense = adapter.dense.map { ($0.name, $0.values.shape) }
        return try model(dense: Dictionary(dense) { first, _ in first }.merging(ownHead) { first, _ in first })
    }
}
