import AdapterFormat
import AdapterOperations
import ArgumentParser
import ClientAgent
import Foundation
import Training

/// `rankwise-lab evaluate`: scores an adapter file on data.
struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Score an adapter on a data set.",
        discussion: """
            Prints accuracy and mean loss, separated by a tab; for a language model also perplexity and the number of \
            tokens that are predicted. The scales come from the adapter_config.json beside the \
            adapter. The base model is named by --model, or is the pretrained one of --base.
            """)

    @OptionGroup var options: ScoringOptions
    @Option(help: "An adapter_model.safetensors.") var adapter: String
    @Option(help: "Its adapter_config.json; by default the one beside it.") var config: String?
    @Option(
        help: """
            A file for the model's output on every example, as the safetensors tensor "logits"; of a language model, that \
            on the first text, beside the tensor "tokens".
            """)
    var logits: String?

    func run() throws {
        do {
            let result = try Evaluation(
                adapter: adapter, configuration: config, merge: options.merge, settings: options.settings,
                task: options.task)
            if let logits { try write(result, to: logits) }
            print(result.line)
        } catch {
            throw ValidationError("\(error)")
        }
    }

    private func write(_ result: Evaluation, to path: String) throws {
        guard result.perplexity != nil else { return try result.writeLogits(to: path) }
        let file = try AdapterFile(path: adapter)
        let scored = try ScoredAdapter(file, at: adapter, configuration: config)
        try options.task(for: file).tokenLogits(
            adapter: adapter, merge: options.merge, scales: scored.scales, settings: options.settings
        ).write(to: path)
    }
}

extension Double {
    /// With a decimal point and this many decimal places, in every locale.
    func formatted(places: Int) -> String { String(format: "%.\(places)f", self) }
}
