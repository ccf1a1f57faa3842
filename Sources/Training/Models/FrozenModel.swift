/// A base model that nothing changes, and from which models to train or to score are made.
///
/// Cheap to copy: what is made from it shares its weights, but for those that a merge or a sparse stage changes.
package protocol FrozenModel: Sendable {
    associatedtype Model: TrainableModel

    /// The layers that an adapter may change, in the model's order.
    var layers: [FrozenLayer] { get }
    /// Those of them that adapters usually change.
    var usualLayers: [FrozenLayer] { get }
    /// The tensors of an adapter file that are trained in full beside the factors, with their shapes.
    var dense: [(name: String, shape: [Int])] { get }
    /// What the base's own file has of one of these; nil where it has none.
    func ownDense(_ name: String) -> (shape: [Int], values: [Float])?
    /// Every weight by its name in a file of the whole model; those of `layers` are called NAME.weight, and their biases,
    /// if any, NAME.bias.
    var tensors: [(name: String, tensor: FrozenTensor)] { get }
    var classes: Int { get }
    /// How many features an example has; nil of a model that takes other examples.
    var features: Int? { get }
    /// How many examples are scored at a time.
    var scoringBatch: Int { get }
    /// Whether the halves of a batch are trained on apart and at the same time: right where a step is long.
    var splitsBatches: Bool { get }

    /// The floating-point operations in the matrix products of one training step, as `NativeModel` says it.
    func stepOperations(ranks: [Int], batch: Int, length: Int) -> Double

    /// How many threads a step may use, one or two; the bytes are the same.
    var threads: Int { get set }

    /// Reads a client's data.
    func examples(path: String) throws -> Model.Examples

    /// Whether the examples fit the model; labels are checked by the caller.
    func check(_ examples: Model.Examples) throws(TrainingError)

    /// A model of these layers with memory for `batchLimit` examples at a time.
    ///
    /// - Parameters:
    ///   - layers: one for each of this model's, in order, merged and adapted as the round asks.
    ///   - dense: of the names of `dense`, those that the adapter has.
    ///   - settings: the federation's `training`, for keys that are the model's own.
    func model(
        _ layers: [AdaptedLayer], dense: [DenseTensor], settings: TrainingSettings, batchLimit: Int
    ) throws(TrainingError) -> Model

    /// How many examples so many adapters are scored on at a time.
    func scoringBatch(adapters: Int) -> Int

    /// What scores many adapters at once, for as many threads; nil where the model only does so one at a time.
    ///
    /// - Parameters:
    ///   - adapted: the layers with each adapter on them, as of `model`; `dense` what else each has.
    func scorers(
        _ count: Int, _ adapted: [[AdaptedLayer]], dense: [[DenseTensor]], settings: TrainingSettings, batchLimit: Int
    ) throws(TrainingError) -> [any AdapterScorer<Model.Examples>]?
}

extension FrozenModel {
    package var usualLayers: [FrozenLayer] { layers }
    package var features: Int? { nil }
    package var scoringBatch: Int { 256 }
    package func ownDense(_ name: String) -> (shape: [Int], values: [Float])? { nil }
    package var splitsBatches: Bool { false }

    /// 2048 rows of all adapters in one product: large enough for full speed, small enough for the cache.
    package func scoringBatch(adapters: Int) -> Int { max(32, 2048 / adapters) }

    package func scorers(
        _ count: Int, _ adapted: [[AdaptedLayer]], dense: [[DenseTensor]], settings: TrainingSettings, batchLimit: Int
    ) throws(TrainingError) -> [any AdapterScorer<Model.Examples>]? { nil }
}
