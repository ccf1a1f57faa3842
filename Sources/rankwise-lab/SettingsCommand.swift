import AdapterFormat
import ArgumentParser
import ClientAgent
import StrictJSON
import Training

/// `rankwise-lab settings`: writes the settings of a federation on a pretrained model.
struct SettingsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "settings",
        abstract: "Write a federation's settings for a pretrained model.",
        discussion: """
            Prints YAML with the model's layers as `adapter.modules` and the digest of its weights, and with usual values \
            for the rest, to be edited before the federation is created.

              rankwise-lab settings --base model.gguf --id tales --rank 32 > tales.yaml
            """)

    @Option(help: "A pretrained model: a BERT's or a language model's folder, or a GGUF file.") var base: String
    @Option(help: "The federation's name.") var id: String
    @Option(help: "The highest rank of a client.") var rank = 16
    @Option(help: "The factor of every product, as scaling of mode constant.") var scale = 2.0
    @Option(
        help: ArgumentHelp(
            """
            The layers to adapt, by the last part of their names, with commas between; by default those that adapters of \
            such a model usually change.
            """, valueName: "names"))
    var targets: String?
    @Flag(help: "Train DoRA's magnitudes too, on a language model.") var dora = false
    @Option(help: "The classes of a classifier's head.") var classes = 2
    @Option(help: "The number of rounds.") var rounds = 3
    @Option(help: "The number of clients that a round needs.") var clients = 2
    @Option(help: "The most tokens of a text.") var maxLength = 256
    @Option(help: "The seed of adapters and rounds.") var seed: UInt64 = 7

    func validate() throws {
        for (name, value) in [("rank", rank), ("rounds", rounds), ("clients", clients), ("max-length", maxLength)] {
            guard value >= 1 else { throw ValidationError("--\(name) is \(value); expected at least 1") }
        }
        guard scale > 0, scale.isFinite else { throw ValidationError("--scale is \(scale); expected above 0") }
    }

    func run() throws {
        do {
            let opened = try ModelRegistry.pretrained(path: base)
            let dense = opened.head(classes: classes)
            let model = try opened.model(dense: dense)
            let digest = try BaseDigest.sha256(ofFiles: opened.weightFiles)
            print(try text(model, dense: dense, peftKeys: opened.peftKeys, digest: digest), terminator: "")
        } catch let error as ValidationError {
            throw error
        } catch {
            throw ValidationError("\(error)")
        }
    }

    private func text(
        _ model: NativeModel, dense: [String: [Int]], peftKeys: [(key: String, value: String)], digest: String
    ) throws -> String {
        let layers = try layers(of: model)
        var lines = [
            "# A federation on \(base.split(separator: "/").last ?? ""), as `rankwise-lab settings` writes it.",
            "id: \(id)",
            "base_model: {name: \(id)-base, sha256: \(digest)}",
            "adapter:",
            "  max_rank: \(rank)",
            "  scaling: {mode: constant, value: \(scale)}",
            "  dtype: F32",
            "  config: {\(peftKeys.map { "\($0.key): \($0.value)" }.joined(separator: ", "))}",
            "  modules:",
        ]
        lines += layers.map { "    \($0.name): {in: \($0.inputs), out: \($0.outputs)}" }
        var dense = dense
        if dora {
            guard model.predictsTokens else {
                throw ValidationError("--dora is of language models; this model classifies")
            }
            for layer in layers { dense[layer.name + TensorName.magnitude] = [layer.outputs] }
        }
        if !dense.isEmpty {
            lines.append("  dense:")
            lines += dense.sorted { $0.key < $1.key }.map { "    \($0.key): \($0.value)" }
        }
        lines += [
            "strategy: {name: rbla, weighting: samples}",
            "round: {total: \(rounds), min_clients: \(clients), min_updates: \(clients), deadline_seconds: 86400}",
            "training: {epochs: 1, batch_size: 4, optimizer: adamw, learning_rate: 0.0005, max_length: \(maxLength)}",
            "seed: \(seed)",
        ]
        return lines.map { $0 + "\n" }.joined()
    }

    private func layers(of model: NativeModel) throws -> [FrozenLayer] {
        guard let targets else { return model.usualLayers }
        let names = targets.split(separator: ",").map(String.init)
        let known = Set(model.layers.compactMap { $0.name.split(separator: ".").last.map(String.init) })
        if let unknown = names.first(where: { !known.contains($0) }) {
            throw ValidationError(
                "--targets has \(unknown.jsonQuoted); expected some of \(known.sorted().joined(separator: ", "))")
        }
        return model.layers.filter { layer in names.contains { layer.name.hasSuffix("." + $0) } }
    }
}
