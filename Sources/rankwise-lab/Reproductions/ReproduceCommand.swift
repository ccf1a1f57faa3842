import ArgumentParser
import Foundation
import RankwiseWire
import Simulation

/// `rankwise-lab reproduce`: repeats a comparison.
struct ReproduceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reproduce",
        abstract: "Run a comparison again, in memory.",
        discussion: """
            Every run has a folder below OUT with its settings, a row a round in rounds.csv and what the last round came to; \
            a run that was stopped goes on there. A run whose training diverges keeps its rounds, and the others are played \
            all the same; the status is 1 then. At the end tables of all runs below OUT are printed as Markdown, and \
            OUT/report.html shows their curves.
            """,
        subcommands: [
            ReproduceRBLACommand.self, ReproduceSpeakersCommand.self, ReproduceTasksCommand.self,
            ReproduceAttacksCommand.self,
        ])
}

/// `rankwise-lab reproduce rbla`: the comparison of RBLA's paper.
struct ReproduceRBLACommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rbla",
        abstract: "The comparison of RBLA's paper, arXiv 2408.08699.",
        discussion: """
            Ten clients with ranks at 10% to 100% of the maximum, staircase split. The models' weights \
            are drawn from the seed and frozen: mlp is mlp-784-200-200-10 with maximum ranks 160, 160 and 100; cnn is \
            cnn-28x28x1-16k5-32k5-128-10 (two padded 5 × 5 convolutions of 16 and 32 channels, each with a ReLU and a 2 × 2 \
            maximum pool, then linear layers of 128 and 10) with maximum ranks 16, 32, 128 and 10. The strategy full trains \
            and averages every weight and bias, without adapters.

              rankwise-lab reproduce rbla --data data --out runs --quick
            """)

    @Option(help: "The folder that scripts/data filled.") var data: String
    @Option(help: "Where the runs are kept.") var out: String
    @Option(help: "mnist or fashion-mnist.") var dataset = Reproduction.Dataset.mnist
    @Option(help: "mlp or cnn.") var model = Reproduction.Model.mlp
    @Option(help: "Names with commas between, of strategies that run in memory, or full.") var strategies: String?
    @Option(help: "Whole numbers with commas between.") var seeds: String?
    @Option(help: "How many rounds; 100 if left out.") var rounds: Int?
    @Option(help: "The share of the clients that takes part in each round.") var participation = 1.0
    @Option(help: "Of SGD; another than the paper's 0.01 becomes part of the runs' folder.")
    var learningRate = Reproduction.paperLearningRate
    @Option(help: "How many clients train at a time.") var threads = 2
    @Flag(help: "rbla and zeropad, one seed, ten rounds.") var quick = false

    func run() async throws {
        let reproduction = Reproduction(
            dataset: dataset, model: model,
            strategies: strategies.map(ReproducedRun.list) ?? (quick ? ["rbla", "zeropad"] : Reproduction.strategies),
            seeds: try seeds.map(ReproducedRun.numbers) ?? (quick ? [1] : [1, 2, 3]),
            rounds: rounds ?? (quick ? 10 : 100),
            participation: participation, learningRate: learningRate, data: data, threads: threads)
        do {
            var failures = 0
            for run in try reproduction.runs() {
                failures += try await ReproducedRun.play(run, below: out) ? 0 : 1
            }
            let groups = try ReportGroup.read(below: out)
            try Report(title: "The comparison of RBLA, arXiv 2408.08699", groups: groups).write(
                to: out + "/report.html")
            for group in groups { print(group.markdown) }
            if failures > 0 { throw ExitCode.failure }
        } catch let error as ExitCode {
            throw error
        } catch {
            throw LabFailure.shown(error)
        }
    }
}

extension Reproduction.Dataset: ExpressibleByArgument {}
extension Reproduction.Model: ExpressibleByArgument {}

/// What the comparisons share.
enum ReproducedRun {
    /// Returns false where the training ended early by itself, for example because it diverged.
    static func play(_ run: Reproduction.Run, below out: String) async throws(SimulationError) -> Bool {
        let total = run.document.federation.round.total
        let cohort = try SimulatedCohort(run.document)
        do throws(SimulationError) {
            _ = try await SimulationRun(run.document, path: out + "/" + run.path).play(cohort: cohort) { event in
                guard case .finished(let record) = event else { return }
                show(
                    "\(run.path): round \(record.round)/\(total), accuracy \(record.testAccuracy.formatted(places: 4)), "
                        + "loss \(record.testLoss.formatted(places: 4)), \(record.seconds.formatted(places: 1)) s")
            }
            return true
        } catch {
            guard case .training = error else { throw error }
            show("\(run.path): \(error)")
            return false
        }
    }

    static func list(_ text: String) -> [String] { text.split(separator: ",").map(String.init) }

    static func numbers(_ text: String) throws -> [UInt64] {
        try list(text).map {
            guard let number = UInt64($0) else { throw ValidationError("'\($0)' is no whole number") }
            return number
        }
    }

    static func show(_ line: String) {
        try? FileHandle.standardError.write(contentsOf: Data((line + "\n").utf8))
    }
}
