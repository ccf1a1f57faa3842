import AdapterFormat
import Aggregation
import ClientAgent
import Coordinator
import CoordinatorAPI
import Federation
import Foundation
import RankwiseWire
package import Training

/// A comparison of strategies on a language model, whose clients have a file each.
package struct ClientsReproduction: Sendable {
    /// What the clients have.
    package struct Subject: Sendable {
        package let name: String
        /// A client has NAME.jsonl, and NAME-heldout.jsonl is held out.
        package let clients: [String]
        /// In the order of the clients. Strategies that need full rank use the highest for all.
        let ranks: [Int]
        /// The most tokens of a text.
        let maxLength: Int
        /// What is measured, as a column for each client and one for all.
        let measure: @Sendable (Evaluation) -> Double
        /// Of the clients' values, the one of all.
        let mean: @Sendable ([Double]) -> Double
        /// How the table calls the measure, and with how many decimals it shows it.
        let title: String
        let decimals: Int
        /// Shown beside the measure for all clients; nil where there is none.
        let second: (@Sendable (Evaluation) -> Double)?
        let secondTitle: String
    }

    package static let strategies = ["rbla", "zeropad", "flexlora", "fedavg"]

    package var subject: Subject
    /// A language model's folder or GGUF file.
    package var base: String
    /// The folder of the clients' files.
    package var data: String
    package var strategies: [String]
    package var seeds: [UInt64]
    package var rounds: Int
    /// The steps of a client in a round, of four texts.
    package var steps: Int
    /// How many held-out lines of each client the model is scored on.
    package var heldOut: Int
    package var threads: Int

    package init(
        _ subject: Subject, base: String, data: String, strategies: [String], seeds: [UInt64], rounds: Int, steps: Int,
        heldOut: Int, threads: Int
    ) {
        self.subject = subject
        self.base = base
        self.data = data
        self.strategies = strategies
        self.seeds = seeds
        self.rounds = rounds
        self.steps = steps
        self.heldOut = heldOut
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
        try subject.clients.flatMap(heldOutLines).joined(separator: "\n").write(
            toFile: folder + "/heldout.jsonl", atomically: true, encoding: .utf8)
        return seeds.flatMap { seed in
            strategies.map { strategy in
                Reproduction.Run(
                    path: "\(subject.name)/\(strategy)-seed\(seed)",
                    document: SimulationDocument(
                        federation: FederationDocument(
                            id: "\(subject.name)-\(strategy)", baseModel: .init(name: "\(subject.name)-base"),
                            adapter: .init(
                                maxRank: subject.ranks.max() ?? 1, scaling: .init(mode: "constant", value: 2),
                                modules: modules),
                            strategy: .init(name: strategy, weighting: "samples"),
                            round: .init(
                                total: rounds, minClients: subject.clients.count, minUpdates: subject.clients.count),
                            training: [
                                "max_steps": .integer(Int64(steps)), "batch_size": .integer(4),
                                "optimizer": .string("adamw"), "learning_rate": .number(0.0005),
                                "max_length": .integer(Int64(subject.maxLength)),
                            ],
                            seed: seed),
                        simulation: SimulationSettings(
                            clients: subject.clients.count, ranks: ranks(strategy), base: base,
                            data: .init(
                                test: folder + "/heldout.jsonl",
                                clients: subject.clients.map { "\(data)/\($0).jsonl" }),
                            partition: .init(scheme: .iid), threads: threads)))
            }
        }
    }

    private func ranks(_ strategy: String) -> [Int] {
        guard (try? Strategy(named: strategy))?.admission == .anyRank else { return [subject.ranks.max() ?? 1] }
        return subject.ranks
    }

    /// A client's first held-out lines.
    private func heldOutLines(_ client: String) throws -> [String] {
        let text = try String(contentsOfFile: "\(data)/\(client)-heldout.jsonl", encoding: .utf8)
        return text.split(separator: "\n").prefix(heldOut).map(String.init)
    }

    /// What the model after a run's last round gives on each client's held-out lines; blocks.
    ///
    /// - Parameters:
    ///   - path: the run's folder.
    ///   - scratch: a folder for the texts.
    package func evaluations(
        of run: Reproduction.Run, at path: String, scratch: String
    ) throws -> [String: Evaluation] {
        guard let state = try RunFolder(reading: path).lastState.map(FederationState.init) else {
            throw SimulationError.file(path, reason: "no round was played")
        }
        let settings = try FederationSettings(run.document.federation)
        let scales = settings.adapter.scales(atRanks: try AdapterPlan(settings).shape.maximumRanks)
        return try evaluations(
            adapter: state.adapter, merge: state.presentMergeSum, scales: scales,
            settings: TrainingSettings(run.document.federation.training.mapValues(TrainingSettings.Value.init)),
            scratch: scratch)
    }

    /// What the base alone gives on each client's held-out lines; blocks.
    package func evaluationsOfBase(scratch: String) throws -> [String: Evaluation] {
        try evaluations(
            adapter: nil, merge: nil, scales: [:],
            settings: TrainingSettings(["max_length": .number(Double(subject.maxLength))]), scratch: scratch)
    }

    private func evaluations(
        adapter: String?, merge: String?, scales: [String: Double], settings: TrainingSettings, scratch: String
    ) throws -> [String: Evaluation] {
        let model = try ModelRegistry.model(.pretrained(base), dense: [:])
        var found: [String: Evaluation] = [:]
        for client in subject.clients {
            let file = "\(scratch)/\(client).jsonl"
            try heldOutLines(client).joined(separator: "\n").write(toFile: file, atomically: true, encoding: .utf8)
            found[client] = try Evaluation(
                of: model.task(data: file), adapter: adapter, merge: merge, scales: scales, settings: settings)
        }
        return found
    }

    /// What a row of the table is made of: a run, or the base alone.
    package struct Result: Sendable {
        let strategy: String
        let evaluations: [String: Evaluation]
        /// What a client sends in a round; nil for the base.
        let megabytesUp: Double?

        package init(strategy: String, evaluations: [String: Evaluation], megabytesUp: Double?) {
            self.strategy = strategy
            self.evaluations = evaluations
            self.megabytesUp = megabytesUp
        }
    }

    /// A table of all runs as Markdown: the subject's measure by strategy and client, mean ± deviation over the seeds, and the
    /// bytes that a client sends in a round.
    package func markdown(_ results: [Result]) -> String {
        let more = subject.second == nil ? "" : " | \(subject.secondTitle)"
        var lines = [
            "| \(subject.title) | " + subject.clients.joined(separator: " | ")
                + " | all\(more) | MB sent a client and round |",
            "|---|" + subject.clients.map { _ in "---|" }.joined() + (subject.second == nil ? "" : "---|") + "---|---|",
        ]
        let names = results.map(\.strategy)
        for strategy in names.enumerated().filter({ names.firstIndex(of: $1) == $0 }).map(\.element) {
            let own = results.filter { $0.strategy == strategy }
            var cells = subject.clients.map { client in
                spread(own.compactMap { $0.evaluations[client].map(subject.measure) }, subject.decimals)
            }
            cells.append(spread(own.map { subject.mean($0.evaluations.values.map(subject.measure)) }, subject.decimals))
            if let second = subject.second {
                cells.append(
                    spread(own.map { $0.evaluations.values.map(second).reduce(0, +) / Double($0.evaluations.count) }, 3)
                )
            }
            let bytes = own.compactMap(\.megabytesUp)
            cells.append(bytes.isEmpty ? "" : String(format: "%.1f", bytes.reduce(0, +) / Double(bytes.count)))
            lines.append("| \(strategy) | " + cells.joined(separator: " | ") + " |")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func spread(_ values: [Double], _ decimals: Int) -> String {
        let mean = values.reduce(0, +) / Double(max(1, values.count))
        guard values.count > 1 else { return String(format: "%.\(decimals)f", mean) }
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)
        return String(format: "%.\(decimals)f ± %.\(decimals)f", mean, variance.squareRoot())
    }
}

extension ClientsReproduction.Subject {
    /// Six speakers, one a client (`scripts/data friends`): perplexity.
    package static let speakers = Self(
        name: "speakers", clients: ["chandler", "joey", "monica", "phoebe", "rachel", "ross"],
        ranks: [2, 4, 8, 16, 24, 32], maxLength: 128, measure: { $0.perplexity ?? 0 },
        mean: { values in exp(values.reduce(0) { $0 + log($1) } / Double(max(1, values.count))) }, title: "perplexity",
        decimals: 2, second: nil, secondTitle: "")

    /// Five tasks, one a client (`scripts/data tasks`): how often the likeliest option is the right one, and the answers' loss.
    package static let tasks = Self(
        name: "tasks", clients: ["boolq", "piqa", "siqa", "commonsenseqa", "pubmedqa"], ranks: [2, 8, 16, 24, 32],
        maxLength: 320, measure: { $0.choices?.accuracy ?? 0 },
        mean: { values in values.reduce(0, +) / Double(max(1, values.count)) }, title: "accuracy", decimals: 3,
        second: { $0.loss }, secondTitle: "answers' loss")
}
