import ArgumentParser
import ClientAgent
import ServerCalls
import Training

/// Scores any adapter on this machine's data.
struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Score an adapter on local data.",
        discussion: """
            Prints accuracy and mean loss, separated by a tab; for a language model also perplexity and the number of \
            tokens that are predicted. ADAPTER is a folder with adapter_model.safetensors and \
            adapter_config.json, which gives the scales: one of a federation, as `export` writes it, or PEFT's own. The base \
            model is named by --model, or is the pretrained one of --base, as for `join`.
            """)

    @Argument(help: "The adapter's folder; none for the base alone.") var adapter: String?
    @OptionGroup var options: LocalModelOptions
    @Option(help: "A sum of merges: an adapter whose product, at scale 1, is added to the base first.")
    var merge: String?

    func run() throws {
        do {
            let result =
                if let adapter {
                    try Evaluation(
                        adapter: adapter + "/adapter_model.safetensors", merge: merge, settings: options.settings,
                        task: options.task)
                } else {
                    try Evaluation(
                        of: options.task(), adapter: nil, merge: merge, scales: [:], settings: options.settings)
                }
            print(result.line)
        } catch {
            throw ValidationError("\(error)".printable)
        }
    }
}
