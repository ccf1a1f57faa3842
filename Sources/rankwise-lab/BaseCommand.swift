import ArgumentParser
import Training

/// `rankwise-lab base`: writes the frozen weights of a model with a name and a seed.
struct BaseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "base",
        abstract: "Write a base model's weights as a safetensors file.",
        discussion: """
            The tensors are fc1.weight (outputs × inputs), fc1.bias, fc2.weight and so on: linear layers with ReLU \
            between them. With them, other tools can load a federation's adapters on the same base.

              rankwise-lab base --model mlp-64-200-200-10 --seed 7 --out base.safetensors
            """)

    @Option(help: "The base model, such as mlp-64-200-200-10.") var model: String
    @Option(help: "What draws its weights: base_model.seed in a federation's settings.") var seed: UInt64 = 0
    @Option(help: "The file to write.") var out: String

    func run() throws {
        do {
            try ModelRegistry.model(named: model, seed: seed).write(to: out)
        } catch {
            throw ValidationError("\(error)")
        }
    }
}
