import AdapterFormat
import ArgumentParser
import Foundation
import Training

/// `rankwise-lab evaluate`: scores an adapter file on data.
struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Score an adapter on a data set.",
        discussion: """
            Prints accuracy and mean loss, separated by a tab. The scales come from the adapter_config.json beside the \
            adapter. The base model is named by --model, or is a BERT in the folder of --base, and then the data are \
            texts: a class from 0, a tab and the text on each line.
            """)

    @Option(help: "The base model, such as mlp-64-200-200-10.") var model: String?
    @Option(help: "A folder with a BERT's config.json, model.safetensors and vocab.txt.") var base: String?
    @Option(help: "The most pieces of a text that count, as training.max_length.") var maxLength: Int = 128
    @Option(help: "What draws the base model's frozen weights.") var modelSeed: UInt64 = 0
    @Option(help: "A CSV file (label last) or IDX images with their labels beside them.") var data: String
    @Option(help: "An adapter_model.safetensors.") var adapter: String
    @Option(help: "Its adapter_config.json; by default the one beside it.") var config: String?
    @Option(help: "A sum of merges: an adapter whose product, at scale 1, is added to the base first.")
    var merge: String?
    @Option(help: "A file for the model's output on every example, as the safetensors tensor \"logits\".")
    var logits: String?
    @Option(help: "What features are divided by, as training.feature_scale in a federation's settings.")
    var featureScale = 1.0

    func validate() throws {
        guard (model == nil) != (base == nil) else { throw ValidationError("give --model or --base, one of them") }
    }

    func run() throws {
        let configPath =
            config ?? URL(fileURLWithPath: adapter).deletingLastPathComponent().path + "/adapter_config.json"
        guard let text = FileManager.default.contents(atPath: configPath) else {
            throw ValidationError("\(configPath) cannot be read; it gives the adapter's scales")
        }
        do {
            let configuration = try AdapterConfig(json: Array(text))
            let file = try AdapterFile(try SafetensorsFile(path: adapter))
            let scales = Dictionary(
                uniqueKeysWithValues: file.modules.map { ($0.name, configuration.scale(of: $0.name)) })
            let result = try Evaluation(
                of: try nativeModel(with: file).task(data: data), adapter: adapter, merge: merge, scales: scales,
                settings: TrainingSettings([
                    "feature_scale": .number(featureScale), "max_length": .number(Double(maxLength)),
                ]))
            if let logits { try result.writeLogits(to: logits) }
            print("accuracy=\(result.accuracy.formatted(places: 4))\tloss=\(result.loss.formatted(places: 4))")
        } catch let error where !(error is ExitCode) {
            throw ValidationError("\(error)")
        }
    }

    private func nativeModel(with adapter: AdapterFile) throws(TrainingError) -> NativeModel {
        if let base {
            let dense = adapter.dense.map { ($0.name, $0.values.shape) }
            return try NativeModel(BertEncoder(folder: base), dense: Dictionary(uniqueKeysWithValues: dense))
        }
        return try NativeModel(name: model ?? "", seed: modelSeed)
    }
}

extension Double {
    /// With a point and this many digits behind it, in every locale.
    func formatted(places: Int) -> String { String(format: "%.\(places)f", self) }
}
