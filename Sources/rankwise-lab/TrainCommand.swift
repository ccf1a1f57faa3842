import AdapterFormat
import Aggregation
import ArgumentParser
import Benchmarks
import DurableFiles
import Foundation
import StrictJSON
import Training
import TrainingData

/// `rankwise-lab train`: trains an adapter on local data without a server.
struct TrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Train an adapter on local data, without a federation.",
        discussion: """
            Writes adapter_model.safetensors and adapter_config.json to OUT, as PEFT saves them: what a client does in a \
            round, from a new adapter on all layers that adapters of the model usually change. The pooled data of all \
            clients give the figure that a federation is held against.

              rankwise-lab train --base model.gguf --data pooled.jsonl --rank 8 --steps 60 --out pooled
            """)

    @Option(help: "A pretrained model: a language model's folder, or a GGUF file.") var base: String
    @Option(
        help:
            "JSON Lines of \"messages\", of \"prompt\" and \"completion\", of \"prompt\", \"options\" and \"answer\", or of \"text\"."
    ) var data: String
    @Option(help: "The rank of every layer.") var rank = 8
    @Option(help: "The factor of every product.") var scale = 2.0
    @Flag(help: "Train DoRA's magnitudes too.") var dora = false
    @Option(help: "Training steps, in place of epochs.") var steps: Int?
    @Option(help: "Passes over the data.") var epochs: Int?
    @Option(help: "Examples of a batch.") var batch = 4
    @Option(help: "AdamW's learning rate.") var learningRate = 0.0005
    @Option(help: "The most tokens of a text, as training.max_length.") var maxLength: Int?
    @Option(help: "How conversations are written, as training.template.") var template: String?
    @Option(help: "Only the layers of so many highest blocks.") var topBlocks: Int?
    @Option(help: "The most bytes of this process, in MiB.") var memory: Int?
    @Option(help: "A file for what the blocks below the trained ones give, so that a text passes them once.")
    var trunk: String?
    @Option(help: "What products are computed in: float32, or bfloat16 where the processor has it.")
    var precision = ProductPrecision.float32
    @Option(help: "What draws the adapter and the order of the examples.") var seed: UInt64 = 1
    @Option(help: "A file for the token ids of every batch in their order, as JSON Lines, and what is learned of them.")
    var batches: String?
    @Option(help: "The folder to write to.") var out: String

    func validate() throws {
        guard rank >= 1, batch >= 1, steps ?? 1 >= 1, epochs ?? 1 >= 1 else {
            throw ValidationError("--rank, --batch, --steps and --epochs are at least 1")
        }
    }

    func run() async throws {
        do {
            try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
            let pretrained = try ModelRegistry.pretrained(path: base)
            let model = try pretrained.model(dense: [:])
            let task = try model.task(data: data)
            let assignment = try assignment(model, peftKeys: pretrained.peftKeys)
            if let batches { try write(task.tokenBatches(assignment.plan), to: batches) }
            let limits = TrainingLimits(
                topBlocks: topBlocks, memory: memory.map { $0 << 20 }, precision: precision,
                trunk: trunk.map { TrunkFile(path: $0, limit: 1 << 40) }
            ) {
                FileHandle.standardError.write(Data(($0 + "\n").utf8))
            }
            let started = ContinuousClock.now
            let outcome = try await NativeTrainer(task, limits: limits).train(assignment) {
                FileHandle.standardError.write(Data("epoch \($0.epoch): loss \($0.loss.formatted(places: 4))\n".utf8))
            }
            try FileManager.default.removeItem(atPath: assignment.adapter)
            let seconds = (ContinuousClock.now - started) / .seconds(1)
            print(
                "samples=\(outcome.samples)\tloss=\(outcome.loss.formatted(places: 4))\t"
                    + "seconds=\(seconds.formatted(places: 1))")
        } catch {
            throw ValidationError("\(error)")
        }
    }

    private func assignment(
        _ model: NativeModel, peftKeys: [(key: String, value: String)]
    ) throws -> TrainingAssignment {
        let shape = try AdapterShape(
            modules: model.usualLayers.map {
                ModuleShape(
                    name: $0.name, kind: $0.kind, inputs: $0.inputs, outputs: $0.outputs, maximumRank: rank)
            },
            dense: dora
                ? model.usualLayers.map { .init(name: $0.name + TensorName.magnitude, shape: [$0.outputs]) } : [])
        let start = out + "/version-0.safetensors"
        let file = try OwnedFile(start, for: .replacing, mode: 0o644)
        // Magnitudes begin as the norms of the base's rows, which the trainer knows.
        let factors = try AdapterShape(modules: shape.modules)
        var writer = try AdapterWriter(shape: factors, descriptor: file.number)
        try InitialAdapter(seed: seed).draw(factors, threads: 2, into: &writer)
        try writer.finish()
        let configuration = out + "/adapter_config.json"
        let carried = Dictionary(
            uniqueKeysWithValues: peftKeys.map { ($0.key, $0.value == "true" ? "true" : $0.value.jsonQuoted) })
        try AdapterConfig(shape: shape, scaling: .constant(scale), carried: carried).json.write(
            toFile: configuration, atomically: true, encoding: .utf8)
        var settings: [String: TrainingSettings.Value] = [
            "batch_size": .number(Double(batch)), "optimizer": .text("adamw"),
            "learning_rate": .number(learningRate),
        ]
        if let maxLength { settings["max_length"] = .number(Double(maxLength)) }
        if let steps { settings["max_steps"] = .number(Double(steps)) }
        if let epochs { settings["epochs"] = .number(Double(epochs)) }
        if let template { settings["template"] = .text(template) }
        return TrainingAssignment(
            adapter: start, configuration: configuration,
            plan: TrainingPlan(
                round: 1, ranks: shape.maximumRanks, scales: shape.maximumRanks.mapValues { _ in scale }, seed: seed,
                dense: dora ? Dictionary(uniqueKeysWithValues: shape.dense.map { ($0.name, $0.shape) }) : nil,
                settings: TrainingSettings(settings)),
            output: out + "/adapter_model.safetensors")
    }

    private func write(_ batches: [[TokenExample]], to path: String) throws {
        let lines = batches.map { batch in
            let texts = batch.map { text in
                "{\"ids\":[\(text.ids.map(String.init).joined(separator: ","))],"
                    + "\"learned\":[\(text.lossMask.map { $0 ? "1" : "0" }.joined(separator: ","))]}"
            }
            return "[" + texts.joined(separator: ",") + "]\n"
        }
        try lines.joined().write(toFile: path, atomically: true, encoding: .utf8)
    }
}
