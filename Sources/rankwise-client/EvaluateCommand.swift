import AdapterFormat
import ArgumentParser
import Foundation
import Training

/// Scores any adapter on this machine's data.
struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Score an adapter on local data.",
        discussion: """
            Prints accuracy and mean loss, separated by a tab. ADAPTER is a folder with adapter_model.safetensors and \
            adapter_config.json, which gives the scales: one of a federation, as `export` writes it, or PEFT's own. The base \
            model is named by --model, or is a BERT in the folder of --base, as for `join`.
            """)

    @Argument(help: "The adapter's folder.") var adapter: String
    @Option(help: "The base model, such as mlp-64-200-200-10.") var model: String?
    @Option(
        help: ArgumentHelp(
            "The BERT whose config.json, model.safetensors and vocab.txt are here.", valueName: "folder"))
    var base: String?
    @Option(help: "What draws the base model's frozen weights.") var modelSeed: UInt64 = 0
    @Option(
        help: """
            A CSV file (label last) or IDX images with their labels beside them; for --base texts, a class from 0, a tab \
            and the text on each line.
            """)
    var data: String
    @Option(help: "A sum of merges: an adapter whose product, at scale 1, is added to the base first.")
    var merge: String?
    @Option(help: "What features are divided by, as training.feature_scale in a federation's settings.")
    var featureScale = 1.0
    @Option(help: "The most pieces of a text that count, as training.max_length.") var maxLength: Int?

    func validate() throws {
        guard (model == nil) != (base == nil) else { throw ValidationError("give --model or --base, one of them") }
    }

    func run() throws {
        var settings = TrainingSettings(["feature_scale": .number(featureScale)])
        if let maxLength { settings["max_length"] = .number(Double(maxLength)) }
        do {
            let result = try Evaluation(
                adapter: adapter + "/adapter_model.safetensors", merge: merge, settings: settings, task: task)
            print(String(format: "accuracy=%.4f\tloss=%.4f", result.accuracy, result.loss))
        } catch {
            throw ValidationError("\(error)")
        }
    }

    /// - Parameter adapter: whose tensors beside the factors say how many classes a BERT's classifier has.
    private func task(for adapter: AdapterFile) throws -> NativeTask {
        guard let base else { return try NativeModel(name: model ?? "", seed: modelSeed).task(data: data) }
        let dense = adapter.dense.map { ($0.name, $0.values.shape) }
        return try NativeModel(BertEncoder(folder: base), dense: Dictionary(uniqueKeysWithValues: dense))
            .task(data: data)
    }
}
