import AdapterFormat
import ArgumentParser
import Training

/// The model and the data for scoring adapters on this machine.
struct LocalModelOptions: ParsableArguments {
    @Option(help: "The base model, such as mlp-64-200-200-10.") var model: String?
    @Option(
        help: ArgumentHelp(
            "A pretrained model: a BERT's or a language model's folder, or a GGUF file.", valueName: "path"))
    var base: String?
    @Option(help: "What draws the base model's frozen weights.") var modelSeed: UInt64 = 0
    @Option(
        help: """
            A CSV file (label last) or IDX images with their labels beside them. For --base: texts, a class from 0, a tab \
            and the text on each line; for a language model JSON Lines of "messages", of "prompt" and "completion", of "prompt", \
            "options" and "answer", or of "text".
            """)
    var data: String
    @Option(help: "What features are divided by, as training.feature_scale in a federation's settings.")
    var featureScale = 1.0
    @Option(help: "The most tokens of a text that count, as training.max_length.") var maxLength: Int?
    @Option(help: "How conversations are written for a language model, as training.template.") var template: String?

    func validate() throws {
        guard (model == nil) != (base == nil) else { throw ValidationError("give --model or --base, one of them") }
    }

    var settings: TrainingSettings {
        TrainingSettings(featureScale: featureScale, maxLength: maxLength, template: template)
    }

    var source: ModelSource { base.map(ModelSource.pretrained) ?? .name(model ?? "", seed: modelSeed) }

    /// The base alone; a classifier needs a head of its own.
    func task() throws -> NativeTask { try ModelRegistry.model(source, dense: [:]).task(data: data) }

    /// - Parameter adapter: whose tensors beside the factors say how many classes a pretrained model's head has.
    func task(for adapter: AdapterFile) throws -> NativeTask {
        try ModelRegistry.model(source, for: adapter).task(data: data)
    }
}
