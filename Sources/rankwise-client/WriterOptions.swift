import AdapterFormat
import AdapterOperations
import ArgumentParser
import Training

/// The model, the adapter and how tokens are chosen, for the commands that write text.
struct WriterOptions: ParsableArguments {
    @Option(help: ArgumentHelp("A language model: its folder, or a GGUF file.", valueName: "path")) var base: String
    @Option(
        help: ArgumentHelp(
            "A folder with adapter_model.safetensors and adapter_config.json; none for the base alone.",
            valueName: "folder"))
    var adapter: String?
    @Option(help: "A sum of merges: an adapter whose product, at scale 1, is added to the base first.")
    var merge: String?
    @Option(help: "chatml, llama3, alpaca or plain; by default the one whose tokens the model has.")
    var template: String?
    @Option(help: "The most tokens of prompt and text together (default: the model's, at most 4096).")
    var context: Int?
    @Option(help: "The most tokens that are written.") var maxTokens = 128
    @Option(help: "0 takes the most likely token; above it, tokens are drawn.") var temperature = 0.0
    @Option(help: "Draw among so many of the most likely tokens.") var topK: Int?
    @Option(help: "Draw among the most likely tokens whose probabilities sum up to this.") var topP = 1.0
    @Option(help: "What the draws begin from.") var seed: UInt64 = 0

    func validate() throws {
        guard maxTokens >= 1 else { throw ValidationError("--max-tokens is \(maxTokens); expected at least 1") }
        guard temperature >= 0, temperature.isFinite else {
            throw ValidationError("--temperature is \(temperature); expected at least 0")
        }
        guard topK ?? 1 >= 1 else { throw ValidationError("--top-k is \(topK ?? 0); expected at least 1") }
        guard topP > 0, topP <= 1 else { throw ValidationError("--top-p is \(topP); expected above 0, up to 1") }
    }

    var sampling: Sampling { Sampling(temperature: temperature, topK: topK, topP: topP) }

    func writer() throws -> TextWriter {
        var opened: ScoredAdapter?
        if let adapter {
            let path = adapter + "/adapter_model.safetensors"
            opened = try ScoredAdapter(AdapterFile(path: path), at: path)
        }
        return try ModelRegistry.pretrained(path: base).writer(
            adapter: opened, merge: merge, template: template, capacity: context)
    }
}
