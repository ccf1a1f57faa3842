import ArgumentParser
import Benchmarks
import Foundation
import Training

/// `rankwise-lab bench score`: times the scoring of many adapters at once, compared with one at a time.
struct BenchScoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "score",
        abstract: "Time the scoring of many adapters at once, beside one at a time run by run.",
        discussion: """
            Each run goes from the adapters' files to their scores, base model and examples in memory, in turn: all adapters \
            in one pass; one after the other as `evaluate` does, through the model that training uses; one after the other \
            through the one-pass scorer. Prints JSON on the standard output and a table on the other; exits with 1 where \
            logits differ by more than 1e-5 (of the logit, where that is above 1).

              rankwise-lab bench score --base data/minilm --data heldout.tsv --max-length 96
            """)

    @OptionGroup var options: ScoringOptions
    @Option(
        name: .customLong("update"), parsing: .upToNextOption,
        help: ArgumentHelp("Adapter files, or folders of them; without it they are drawn.", valueName: "path"))
    var updates: [String] = []
    @Option(help: "How many adapters are drawn.") var adapters = 32
    @Option(help: "Their ranks, taken in turn.") var ranks = BenchRanks([2, 4, 8, 16])
    @Option(help: "Only so many of the examples, the first ones.") var examples: Int?
    @Option(help: "How many timed runs.") var runs = 5
    @Option(help: "How many runs before them.") var warmup = 1
    @Option(help: "What draws the adapters.") var seed: UInt64 = 1

    func validate() throws {
        guard runs > 0, warmup >= 0, adapters > 0, (examples ?? 1) > 0 else {
            throw ValidationError("Runs, adapters and examples are at least 1, warmup at least 0.")
        }
    }

    func run() throws {
        let folder = NSTemporaryDirectory() + "rankwise-bench-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        do {
            let report = try measure(in: folder)
            try FileHandle.standardError.write(contentsOf: Data(report.table.utf8))
            try FileHandle.standardOutput.write(contentsOf: report.json())
            if !report.isExact { throw ExitCode.failure }
        } catch let error where !(error is ExitCode) {
            throw LabFailure.shown(error)
        }
    }

    private func measure(in folder: String) throws -> BenchScoreReport {
        var (task, scored): (NativeTask, [ScoredAdapter])
        if updates.isEmpty {
            (task, scored) = try ScoredCohort(folder: folder, ranks: ranks.values, seed: seed)
                .prepare(adapters, options)
        } else {
            let files = try AdapterFiles(at: updates, configuration: nil)
            (task, scored) = (try options.task(for: files.first.file), files.scored)
        }
        if let examples { task = task.subset(Array(0..<min(examples, task.count))) }
        var report = BenchScoreReport(
            settings: .init(
                model: options.model ?? options.base ?? "", adapters: scored.count,
                ranks: updates.isEmpty ? ranks.values : nil, examples: task.count, maxLength: options.maxLength,
                runs: runs, warmup: warmup),
            machine: BenchMachine())
        func together(_ adapters: [ScoredAdapter]) throws -> [Evaluation] {
            try task.score(adapters, merge: options.merge, settings: options.settings)
        }
        for run in 0..<(warmup + runs) {
            var results: [[Evaluation]] = []
            let all = try BenchTimes { results.append(try together(scored)) }
            let alone = try BenchTimes {
                results.append(
                    try scored.map {
                        try Evaluation(
                            of: task, adapter: $0.path, merge: options.merge, scales: $0.scales,
                            settings: options.settings)
                    })
            }
            let aloneByScorer = try BenchTimes { results.append(try scored.flatMap { try together([$0]) }) }
            report.compare(results[1], with: [results[0], results[2]])
            if run >= warmup { report.add(together: all, alone: alone, aloneByScorer: aloneByScorer) }
        }
        return report
    }
}
