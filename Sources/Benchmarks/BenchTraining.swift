import AdapterFormat
import Aggregation
import Foundation
import LinearAlgebra
import Simulation
import Training
import TrainingData

/// A model whose training is timed, with its examples, its adapter and its plan.
struct BenchTraining {
    /// The training job of both sides; the reference reads it on its first line.
    struct Job: Encodable {
        /// The name of a named model.
        let model: String?
        /// The folder of an encoder.
        let base: String?
        let ranks: [Int]
        let batch: Int
        /// The number of pieces of a text.
        let length: Int?
        let steps: Int
        let threads: Int
        let optimizer: String
        let learningRate: Double
        /// Used by SGD.
        let momentum: Double?
        /// What the reference computes a language model in.
        var precision: String?
        /// Whether the reference computes the activations of a language model again.
        var checkpointing: Bool?

        enum CodingKeys: String, CodingKey {
            case model, base, ranks, batch, length, steps, threads, optimizer, momentum, precision, checkpointing
            case learningRate = "learning_rate"
        }
    }

    /// The RBLA paper's MLP.
    static let paper = "mlp-784-200-200-10"
    private static let paperRanks = [160, 160, 100]
    /// The number of classes of an encoder's texts.
    private static let classes = 4

    let job: Job
    /// The operations of the products in a step: two for each multiplication and its addition.
    let flopsPerStep: Double
    private let trainer: NativeTrainer
    private let assignment: TrainingAssignment

    /// - Parameters:
    ///   - reference: what the reference computes a language model in, and whether it checkpoints.
    ///   - limits: those of our training.
    ///   - folder: the folder for its files.
    init(
        model name: String, base: String?, ranks: [Int]?, batch: Int?, length: Int, steps: Int, seed: UInt64,
        reference: (precision: String, checkpointing: Bool), limits: TrainingLimits, folder: String
    ) throws {
        if let base {
            let opened = try ModelRegistry.pretrained(path: base)
            let dense = opened.head(classes: Self.classes)
            let model = try opened.model(dense: dense)
            var job = Job(
                model: nil, base: base, ranks: ranks ?? [8], batch: batch ?? (model.predictsTokens ? 4 : 16),
                length: length, steps: steps, threads: 2, optimizer: "adamw", learningRate: 0.002, momentum: nil)
            if model.predictsTokens { (job.precision, job.checkpointing) = reference }
            self.job = job
            guard job.ranks.count == 1 else {
                throw BenchError("a pretrained model takes one rank; \(job.ranks.count) came")
            }
            let texts = folder + "/texts"
            try Self.texts(job, areDialogues: model.predictsTokens, seed: seed).write(
                toFile: texts, atomically: true, encoding: .utf8)
            trainer = NativeTrainer(try model.task(data: texts), limits: limits)
            let ranks = Array(repeating: job.ranks[0], count: model.usualLayers.count)
            assignment = try Self.assignment(
                job, model.usualLayers, ranks: ranks, dense: dense, seed: seed, folder: folder)
            flopsPerStep = model.stepOperations(ranks: ranks, batch: job.batch, length: length)
        } else {
            let model = try ModelRegistry.model(named: name, seed: seed)
            job = Job(
                model: name, base: nil,
                ranks: ranks
                    ?? (name == Self.paper ? Self.paperRanks : model.layers.map { min($0.inputs, $0.outputs) }),
                batch: batch ?? 64, length: nil, steps: steps, threads: 2, optimizer: "sgd", learningRate: 0.01,
                momentum: 0.9)
            guard job.ranks.count == model.layers.count else {
                throw BenchError("\(name) has \(model.layers.count) layers; \(job.ranks.count) ranks came")
            }
            guard let features = model.features else { throw BenchError("\(name) takes no features") }
            trainer = NativeTrainer(try model.task(Self.images(job, features, model.classes, seed: seed)))
            flopsPerStep = model.stepOperations(ranks: job.ranks, batch: job.batch, length: 1)
            assignment = try Self.assignment(
                job, model.layers, ranks: job.ranks, dense: [:], seed: seed, folder: folder)
        }
    }

    /// Trains all steps once, from files to files.
    func run() async throws -> BenchTimes {
        try await BenchTimes { _ = try await trainer.train(assignment) { _ in } }
    }

    /// Random images, as many as the steps use.
    private static func images(_ job: Job, _ width: Int, _ classes: Int, seed: UInt64) -> DataSet {
        var generator = SeededGenerator(seed: seed, stream: "bench examples")
        let count = job.steps * job.batch
        let labels = (0..<count).map { _ in Int.random(in: 0..<classes, using: &generator) }
        return DataSet(
            width: width, features: (0..<count * width).map { _ in generator.uniform(within: 1) }, labels: labels)
    }

    /// Lines of texts that exceed the length; a digit is a token of every vocabulary. All tokens of a dialogue but the
    /// first are learned.
    private static func texts(_ job: Job, areDialogues: Bool, seed: UInt64) -> String {
        var generator = SeededGenerator(seed: seed, stream: "bench examples")
        return (0..<job.steps * job.batch).map { _ in
            let words = (0..<(job.length ?? 0)).map { _ in String(Int.random(in: 0...9, using: &generator)) }
            let text = words.joined(separator: " ")
            guard !areDialogues else { return "{\"prompt\": \"\", \"completion\": \"\(text)\"}\n" }
            return "\(Int.random(in: 0..<classes, using: &generator))\t\(text)\n"
        }.joined()
    }

    private static func assignment(
        _ job: Job, _ layers: [FrozenLayer], ranks: [Int], dense: [String: [Int]], seed: UInt64, folder: String
    ) throws -> TrainingAssignment {
        let shape = try AdapterShape(
            modules: zip(layers, ranks).map { layer, rank in
                ModuleShape(
                    name: layer.name, kind: layer.kind, inputs: layer.inputs, outputs: layer.outputs, maximumRank: rank)
            },
            dense: dense.map { .init(name: $0, shape: $1, initial: .zeros) })
        let source = InitialAdapter(seed: seed)
        var file = RoundFolder(URL(filePath: folder), type: .f32)
        try file.begin(RoundOutline(shape: shape, mergeRanks: [:]))
        for module in shape.modules {
            guard let factors = source.factors(of: module, rank: module.maximumRank) else { continue }
            try file.take(ModuleResult(factors: factors), of: module)
        }
        for tensor in shape.dense { try file.take(source.values(of: tensor) ?? [], of: tensor) }
        try file.finish()
        var settings: [String: TrainingSettings.Value] = [
            "epochs": .number(1), "batch_size": .number(Double(job.batch)), "optimizer": .text(job.optimizer),
            "learning_rate": .number(job.learningRate),
        ]
        if let momentum = job.momentum { settings["momentum"] = .number(momentum) }
        if let length = job.length { settings["max_length"] = .number(Double(length)) }
        if job.precision != nil { settings["template"] = .text("plain") }
        let named = shape.maximumRanks
        return TrainingAssignment(
            adapter: folder + "/adapter.safetensors", configuration: "",
            plan: TrainingPlan(
                round: 1, ranks: named, scales: named.mapValues { _ in 1 }, seed: seed,
                settings: TrainingSettings(settings)),
            output: folder + "/trained.safetensors")
    }
}
