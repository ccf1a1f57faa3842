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
            adapter_config.json, which gives the scales: one of a federation, as `export` writes it, or PEFT's own.
            """)

    @Argument(help: "The adapter's folder.") var adapter: String
    @Option(help: "The base model, such as mlp-64-200-200-10.") var model: String
    @Option(help: "What draws the base model's frozen weights.") var modelSeed: UInt64 = 0
    @Option(help: "A CSV file (label last) or IDX images with their labels beside them.") var data: String
    @Option(help: "A sum of merges: an adapter whose product, at scale 1, is added to the base first.")
    var merge: String?
    @Option(help: "What features are divided by, as training.feature_scale in a federation's settings.")
    var featureScale = 1.0

    func run() throws {
        do {
            let result = try Evaluation(
                adapter: adapter + "/adapter_model.safetensors", merge: merge,
                settings: TrainingSettings(["feature_scale": .number(featureScale)])
            ) { _ in try NativeModel(name: model, seed: modelSeed).task(data: data) }
            print(String(format: "accuracy=%.4f\tloss=%.4f", result.accuracy, result.loss))
        } catch {
            throw ValidationError("\(error)")
        }
    }
}
