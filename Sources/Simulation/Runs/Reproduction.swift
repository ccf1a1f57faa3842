import Aggregation
import Foundation
import RankwiseWire

/// The RBLA paper's comparison (arXiv 2408.08699) as a list of runs.
package struct Reproduction: Sendable, Hashable {
    package enum Dataset: String, Sendable, CaseIterable {
        case mnist
        case fashionMNIST = "fashion-mnist"
    }

    /// The compared strategies, in the paper's settings; `full` trains and averages every weight.
    package static let strategies = ["rbla", "zeropad", "fedavg", "flora", "flexlora", "raflora", "full"]

    package static let paperLearningRate = 0.01

    package var dataset: Dataset
    package var model: Model
    package var strategies: [String]
    package var seeds: [UInt64]
    package var rounds: Int
    /// The share of the ten clients that is selected each round.
    package var participation: Double
    /// The learning rate of SGD with momentum 0.9.
    package var learningRate: Double
    /// The folder with the IDX files, or with a folder of them named like the dataset.
    package var data: String
    package var threads: Int

    package init(
        dataset: Dataset, model: Model, strategies: [String], seeds: [UInt64], rounds: Int, participation: Double,
        learningRate: Double = Self.paperLearningRate, data: String, threads: Int = 2
    ) {
        self.dataset = dataset
        self.model = model
        self.strategies = strategies
        self.seeds = seeds
        self.rounds = rounds
        self.participation = participation
        self.learningRate = learningRate
        self.data = data
        self.threads = threads
    }
}

extension Reproduction {
    /// One run: its path below the output folder, and its settings.
    package struct Run: Sendable, Hashable {
        package let path: String
        package let document: SimulationDocument
    }

    static let clients = 10

    /// Every strategy of the first seed, then of the next.
    package func runs() throws(SimulationError) -> [Run] {
        guard !strategies.isEmpty, !seeds.isEmpty, rounds > 0 else {
            throw .settings(path: "", reason: "at least one strategy, one seed and one round are needed")
        }
        guard participation > 0, participation <= 1 else {
            throw .settings(path: "participation", reason: "is \(participation); expected above 0, up to 1")
        }
        guard learningRate > 0, learningRate.isFinite else {
            throw .settings(path: "learning-rate", reason: "is \(learningRate); expected above 0")
        }
        let source = try source()
        return seeds.flatMap { seed in
            strategies.map { strategy in
                Run(
                    path: "\(group)/\(strategy)-seed\(seed)",
                    document: SimulationDocument(
                        federation: federation(strategy, seed: seed),
                        simulation: SimulationSettings(
                            clients: Self.clients, ranks: ranks(strategy), data: source,
                            partition: .init(scheme: .staircase), threads: threads)))
            }
        }
    }

    /// The common settings of all its runs as a name; a learning rate other than the paper's is part of it.
    package var group: String {
        let share = Int((participation * 100).rounded())
        let rate = learningRate == Self.paperLearningRate ? "" : "-rate\(learningRate)"
        return "\(dataset.rawValue)-\(model.rawValue)-\(share)percent\(rate)"
    }

    /// 10% to 100% of the maximum. Strategies that need full rank, and whole models, use all of it.
    private func ranks(_ strategy: String) -> [Int] {
        let highest = model.maximumRank
        guard (try? Strategy(named: strategy))?.admission == .anyRank else { return [highest] }
        return (1...Self.clients).map { (2 * $0 * highest + Self.clients) / (2 * Self.clients) }
    }

    private func federation(_ strategy: String, seed: UInt64) -> FederationDocument {
        let selected = max(1, Int((participation * Double(Self.clients)).rounded()))
        return FederationDocument(
            id: "\(group)-\(strategy)",
            baseModel: .init(name: model.name, seed: seed),
            adapter: .init(maxRank: model.maximumRank, modules: model.modules),
            strategy: .init(name: strategy, weighting: "samples"),
            round: .init(
                total: rounds, minClients: Self.clients, minUpdates: selected,
                selection: .init(fraction: participation)),
            training: [
                "epochs": .integer(5), "batch_size": .integer(64), "optimizer": .string("sgd"),
                "learning_rate": .number(learningRate), "momentum": .number(0.9), "feature_scale": .integer(255),
            ],
            seed: seed)
    }

    private func source() throws(SimulationError) -> SimulationSettings.Source {
        for folder in [data, data + "/" + dataset.rawValue] {
            let train = folder + "/train-images-idx3-ubyte"
            if FileManager.default.fileExists(atPath: train) {
                return .init(train: train, test: folder + "/t10k-images-idx3-ubyte")
            }
        }
        throw .data("\(data) holds no train-images-idx3-ubyte; `scripts/data \(dataset.rawValue) FOLDER` fetches it")
    }
}
