import AdapterFormat
import Aggregation
import ClientAgent
import Coordinator
import CoordinatorAPI
import Federation
import Foundation
import RankwiseWire
import Training

/// Six speakers, one a client, fine-tune a language model on what they say (`scripts/data friends`).
package struct SpeakersReproduction: Sendable {
    package static let speakers = ["chandler", "joey", "monica", "phoebe", "rachel", "ross"]
    package static let strategies = ["rbla", "zeropad", "flexlora", "fedavg"]
    /// In the order of the speakers. Strategies that need full rank use the highest for all.
    static let ranks = [2, 4, 8, 16, 24, 32]

    /// A language model's folder or GGUF file.
    package var base: String
    /// The folder that `scripts/data friends` filled.
    package var data: String
    package var strategies: [String]
    package var seeds: [UInt64]
    package var rounds: Int
    /// The steps of a client in a round, of four texts of 128 tokens.
    package var steps: Int
    /// How many held-out episodes of each speaker the model is scored on.
    package var episodes: Int
    package var threads: Int

    package init(
        base: String, data: String, strategies: [String], seeds: [UInt64], rounds: Int, steps: Int, episodes: Int,
        threads: Int
    ) {
        self.base = base
        self.data = data
        self.strategies = strategies
        self.seeds = seeds
        self.rounds = rounds
        self.steps = steps
        self.episodes = episodes
        self.threads = threads
    }

    /// Every strategy of the first seed, then of the next. Writes the held-out texts to `folder`.
    package func runs(in folder: String) throws -> [Reproduction.Run] {
        let model = try ModelRegistry.model(.pretrained(base), dense: [:])
        guard model.predictsTokens else {
            throw SimulationError.settings(path: "base", reason: "predicts classes; expected a language model")
        }
        let modules = Dictionary(
            uniqueKeysWithValues: model.usualLayers.map {
                ($0.name, FederationDocument.Module(inputs: $0.inputs, outputs: $0.outputs))
            })
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Self.speakers.flatMap(heldOut).joined(separator: "\n").write(
            toFile: folder + "/heldout.jsonl", atomically: true, encoding: .utf8)
        return seeds.flatMap { seed in
            strategies.map { strategy in
                Reproduction.Run(
                    path: "speakers/\(strategy)-seed\(seed)",
                    document: SimulationDocument(
                        federation: FederationDocument(
                            id: "speakers-\(strategy)", baseModel: .init(name: "speakers-base"),
                            adapter: .init(
                                maxRank: Self.ranks.max() ?? 1, scaling: .init(mode: "constant", value: 2),
                                modules: modules),
                            strategy: .init(name: strategy, weighting: "samples"),
                            round: .init(
                                total: rounds, minClients: Self.speakers.count, minUpdates: Self.speakers.count),
                            training: [
                                "max_steps": .integer(Int64(steps)), "batch_size": .integer(4),
                                "optimizer": .string("adamw"), "learning_rate": .number(0.0005),
                                "max_length": .integer(128),
                            ],
                            seed: seed),
                        simulation: SimulationSettings(
                            clients: Self.speakers.count, ranks: ranks(strategy), base: base,
                            data: .init(
                                test: folder + "/heldout.jsonl",
                                clients: Self.speakers.map { "\(data)/\($0).jsonl" }),
                            partition: .init(scheme: .iid), threads: threads)))
            }
        }
    }

    private func ranks(_ strategy: String) -> [Int] {
        guard (try? Strategy(named: strategy))?.admission == .anyRank else { return [Self.ranks.max() ?? 1] }
        return Self.ranks
    }

    /// The lines of a speaker's first held-out episodes.
    private func heldOut(_ speaker: String) throws -> [String] {
        let text = try String(contentsOfFile: "\(data)/\(speaker)-heldout.jsonl", encoding: .utf8)
        return text.split(separator: "\n").prefix(episodes).map(String.init)
    }

    /// The perplexity of the model after a run's last round on each speaker's held-out episodes; blocks.
    ///
    /// - Parameters:
    ///   - path: the run's folder.
    ///   - scratch: a folder for the texts.
    package func perplexities(of run: Reproduction.Run, at path: String, scratch: String) throws -> [String: Double] {
        guard let state = try RunFolder(reading: path).lastState.map(FederationState.init) else {
            throw SimulationError.file(path, reason: "no round was played")
        }
        let settings = try FederationSettings(run.document.federation)
        let scales = settings.adapter.scales(atRanks: try AdapterPlan(settings).shape.maximumRanks)
        let model = try ModelRegistry.model(.pretrained(base), dense: [:])
        var found: [String: Double] = [:]
        for speaker in Self.speakers {
            let file = "\(scratch)/\(speaker).jsonl"
            try heldOut(speaker).joined(separator: "\n").write(toFile: file, atomically: true, encoding: .utf8)
            found[speaker] = try Evaluation(
                of: model.task(data: file), adapter: state.adapter, merge: state.presentMergeSum, scales: scales,
                settings: TrainingSettings(run.document.federation.training.mapValues(TrainingSettings.Value.init))
            ).perplexity
        }
        return found
    }

    /// A table of all runs as Markdown: perplexity by strategy and speaker, mean ± deviation over the seeds, and the bytes that
    /// a client sends in a round.
    package static func markdown(
        _ results: [(run: Reproduction.Run, perplexities: [String: Double], megabytesUp: Double)]
    ) -> String {
        var lines = [
            "| strategy | " + speakers.joined(separator: " | ") + " | all six | MB sent a client and round |",
            "|---|" + speakers.map { _ in "---|" }.joined() + "---|---|",
        ]
        let names = results.map(\.run.document.federation.strategy.name)
        for strategy in names.enumerated().filter({ names.firstIndex(of: $1) == $0 }).map(\.element) {
            let own = results.filter { $0.run.document.federation.strategy.name == strategy }
            let cells = speakers.map { speaker in spread(own.compactMap { $0.perplexities[speaker] }) }
            let means = own.map { result in
                exp(result.perplexities.values.reduce(0) { $0 + log($1) } / Double(max(1, result.perplexities.count)))
            }
            let bytes = own.map(\.megabytesUp).reduce(0, +) / Double(own.count)
            lines.append(
                "| \(strategy) | " + (cells + [spread(means)]).joined(separator: " | ")
                    + String(format: " | %.1f |", bytes))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func spread(_ values: [Double]) -> String {
        let mean = values.reduce(0, +) / Double(max(1, values.count))
        guard values.count > 1 else { return String(format: "%.2f", mean) }
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)
        return String(format: "%.2f ± %.2f", mean, variance.squareRoot())
    }
}
