package import TrainingData

/// A base model, from which models for training and scoring are made. It never changes.
///
/// It is cheap to copy: models share its weights, except those that a merge or a sparse stage changes.
package protocol FrozenModel: Sendable {
    associatedtype Model: TrainableModel
    /// A client's data as they are read. Where the settings decide what the model gets of them, that is another type.
    associatedtype Examples: ExampleSet = Model.Examples

    /// The layers that an adapter may change, in the model's order.
    var layers: [FrozenLayer] { get }
    /// The layers that adapters usually change.
    var usualLayers: [FrozenLayer] { get }
    /// The model's blocks from its input to its output, each as the places of its layers.
    var blocks: [Range<Int>] { get }
    /// The tensors of an adapter file that are trained in full beside the factors, with their shapes.
    var dense: [(name: String, shape: [Int])] { get }
    /// The values of one of these tensors in the base's own file; nil where it has none.
    func ownDense(_ name: String) -> (shape: [Int], values: [Float])?
    /// Every weight by its name in a file of the whole model. A layer of `layers` has NAME.weight, and NAME.bias where
    /// it has a bias.
    var tensors: [(name: String, tensor: FrozenTensor)] { get }
    var classes: Int { get }
    /// The number of features of an example; nil for a model with other examples.
    var features: Int? { get }
    /// The number of examples that are scored at a time.
    var scoringBatch: Int { get }
    /// Whether each half of a batch has its own forward and backward pass, in parallel. This pays where a step takes
    /// long.
    var splitsBatches: Bool { get }

    /// The floating-point operations in the matrix products of one training step (see `NativeModel`).
    func stepOperations(ranks: [Int], batch: Int, length: Int) -> Double

    /// The number of threads that a step may use, one or two. The bytes are the same.
    var threads: Int { get set }

    /// Reads a client's data.
    func examples(path: String) throws -> Examples

    /// Throws where the examples do not fit the model. The caller checks labels.
    func check(_ examples: Examples) throws(TrainingError)

    /// The examples as the model takes them under a federation's `training`.
    func prepare(_ examples: Examples, settings: TrainingSettings) throws(TrainingError) -> Model.Examples

    /// The examples with several completions to choose from, as the model takes them; nil where there are none.
    func choices(_ examples: Examples, settings: TrainingSettings) throws(TrainingError) -> TokenChoices?

    /// Throws where a file of the weights was changed since it was opened.
    func checkFiles() throws(TrainingError)

    /// The model as it trains these layers with the memory that there is.
    ///
    /// - Parameter limits: the client's; `topBlocks` is done with.
    /// - Returns: nil where the model has no choice.
    /// - Throws: where nothing keeps to the memory, with the least that can; where the model or the processor does not have the
    ///   precision.
    func fitted(
        to limits: TrainingLimits, layers: [AdaptedLayer], examples: Model.Examples, settings: TrainingSettings
    ) throws(TrainingError) -> MemoryFit<Self>?

    /// A batch in parts that are computed one after the other, each within the memory.
    func parts(of indices: ArraySlice<Int>, _ examples: Model.Examples) -> [ArraySlice<Int>]

    /// Whether tokens are predicted, each from those before it, and not classes of examples.
    var predictsTokens: Bool { get }

    /// Whether it computes DoRA's magnitudes.
    var computesDoRA: Bool { get }

    /// Whether it computes LoRA's biases.
    var computesLoRABias: Bool { get }

    /// The model's own keys of `training`.
    var settingNames: Set<String> { get }

    /// A model of these layers with memory for `batchLimit` examples at a time.
    ///
    /// - Parameters:
    ///   - layers: one for each of this model's layers, in order, with the round's merge and adapter.
    ///   - dense: the tensors of `dense` that the adapter has.
    ///   - settings: the federation's `training`, for the model's own keys.
    func model(
        _ layers: [AdaptedLayer], dense: [DenseTensor], settings: TrainingSettings, batchLimit: Int
    ) throws(TrainingError) -> Model

    /// A model that scores several adapters in one batch; nil where it scores them one at a time, or by `scorers`.
    ///
    /// - Parameter adapted: the layers under each adapter, as for `model`.
    func model(
        together adapted: [[AdaptedLayer]], settings: TrainingSettings
    ) throws(TrainingError) -> (any TokenPredictingModel)?

    /// The number of examples that are scored at a time under this many adapters.
    func scoringBatch(adapters: Int) -> Int

    /// Scorers of many adapters at once, one for each thread; nil where the model scores one adapter at a time.
    ///
    /// - Parameters:
    ///   - adapted: the layers under each adapter, as for `model`; `dense` the dense tensors of each.
    func scorers(
        _ count: Int, _ adapted: [[AdaptedLayer]], dense: [[DenseTensor]], settings: TrainingSettings, batchLimit: Int
    ) throws(TrainingError) -> [any AdapterScorer<Model.Examples>]?
}

extension FrozenModel where Examples == Model.Examples {
    package func prepare(_ examples: Examples, settings: TrainingSettings) throws(TrainingError) -> Model.Examples {
        examples
    }
}

extension FrozenModel {
    package func fitted(
        to limits: TrainingLimits, layers: [AdaptedLayer], examples: Model.Examples, settings: TrainingSettings
    ) throws(TrainingError) -> MemoryFit<Self>? {
        guard limits.precision == .float32 else {
            throw .option(
                "--precision", expected: "float32 for a model that classifies", found: limits.precision.rawValue)
        }
        guard limits.memory != nil else { return nil }
        throw .option("--memory", expected: "a language model", found: "one that classifies, which has no such choice")
    }

    package func choices(_ examples: Examples, settings: TrainingSettings) throws(TrainingError) -> TokenChoices? {
        nil
    }
    package func model(
        together adapted: [[AdaptedLayer]], settings: TrainingSettings
    ) throws(TrainingError) -> (any TokenPredictingModel)? { nil }
    package func parts(of indices: ArraySlice<Int>, _ examples: Model.Examples) -> [ArraySlice<Int>] { [indices] }
    package func checkFiles() throws(TrainingError) {}
    package var blocks: [Range<Int>] { layers.indices.map { $0..<$0 + 1 } }
    package var predictsTokens: Bool { false }
    package var computesDoRA: Bool { false }
    package var computesLoRABias: Bool { false }
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
