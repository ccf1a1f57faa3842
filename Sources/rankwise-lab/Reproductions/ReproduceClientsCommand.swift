import ArgumentParser
import Foundation
import RankwiseWire
import Simulation

/// What the comparisons on a language model are told.
struct ClientsReproductionOptions: ParsableArguments {
    @Option(help: "A language model: its folder, or a GGUF file.") var base: String
    @Option(help: "The folder that scripts/data filled.") var data: String
    @Option(help: "Where the runs are kept.") var out: String
    @Option(help: "Names with commas between, of strategies that run in memory.") var strategies: String?
    @Option(help: "Whole numbers with commas between.") var seeds = "1,2,3"
    @Option(help: "How many rounds.") var rounds = 5
    @Option(help: "The steps of a client in a round.") var steps = 10
    @Option(help: "How many held-out lines of each client the model is scored on.") var heldOut: Int?
    @Option(help: "How many clients train at a time.") var threads = 2

    func validate() throws {
        for (name, value) in [
            ("rounds", rounds), ("steps", steps), ("held-out", heldOut ?? 1), ("threads", threads),
        ] {
            guard value >= 1 else { throw ValidationError("--\(name) is \(value); expected at least 1") }
        }
    }

    /// Plays all runs, and prints the table with the base alone in the first row.
    func play(_ subject: ClientsReproduction.Subject, heldOut usual: Int, title: String) async throws {
        let reproduction = ClientsReproduction(
            subject, base: base, data: data,
            strategies: strategies.map(ReproducedRun.list) ?? ClientsReproduction.strategies,
            seeds: try ReproducedRun.numbers(seeds), rounds: rounds, steps: steps, heldOut: heldOut ?? usual,
            threads: threads)
        do {
            var failures = 0
            let runs = try reproduction.runs(in: out)
            var results = [
                ClientsReproduction.Result(
                    strategy: "the base alone", evaluations: try reproduction.evaluationsOfBase(scratch: out),
                    megabytesUp: nil)
            ]
            for run in runs {
                guard try await ReproducedRun.play(run, below: out) else {
                    failures += 1
                    continue
                }
                let folder = out + "/" + run.path
                let records = try RunFolder(reading: folder).records
                let bytes = records.reduce(0) { $0 + $1.bytesUp } / max(1, records.reduce(0) { $0 + $1.clients })
                results.append(
                    .init(
                        strategy: run.document.federation.strategy.name,
                        evaluations: try reproduction.evaluations(of: run, at: folder, scratch: out),
                        megabytesUp: Double(bytes) / 1e6))
            }
            let groups = try ReportGroup.read(below: out)
            try Report(title: title, groups: groups).write(to: out + "/report.html")
            print(reproduction.markdown(results))
            if failures > 0 { throw ExitCode.failure }
        } catch let error as ExitCode {
            throw error
        } catch {
            throw LabFailure.shown(error)
        }
    }
}

/// `rankwise-lab reproduce speakers`: six speakers, one a client, on a language model.
struct ReproduceSpeakersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "speakers",
        abstract: "Six speakers of a series, one a client, fine-tune a language model.",
        discussion: """
            Ranks 2, 4, 8, 16, 24 and 32; strategies that need full rank use 32. Batches of four texts of 128 tokens, AdamW \
            at 0.0005. The table has the perplexity on each speaker's held-out episodes, three by default, as mean and \
            deviation over the seeds.

              scripts/data smollm2 data && scripts/data friends data/friends
              rankwise-lab reproduce speakers --base data/*.gguf --data data/friends --out runs
            """)

    @OptionGroup var options: ClientsReproductionOptions

    func run() async throws { try await options.play(.speakers, heldOut: 3, title: "Six speakers on a language model") }
}

/// `rankwise-lab reproduce tasks`: five tasks, one a client, on a language model.
struct ReproduceTasksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tasks",
        abstract: "Five sets of questions, one a client, fine-tune a language model.",
        discussion: """
            BoolQ, PIQA, SIQA, CommonsenseQA and PubMedQA, at ranks 2, 8, 16, 24 and 32; strategies that need full rank use \
            32. Batches of four texts of at most 320 tokens, AdamW at 0.0005. The table has how often the likeliest option is \
            the right one on each task's held-out questions, 60 by default, the mean loss of the answers' tokens, and the \
            megabytes that a client sends; mean and deviation over the seeds.

              scripts/data smollm2 data && scripts/data tasks data/tasks
              rankwise-lab reproduce tasks --base data/*.gguf --data data/tasks --out runs
            """)

    @OptionGroup var options: ClientsReproductionOptions

    func run() async throws { try await options.play(.tasks, heldOut: 60, title: "Five tasks on a language model") }
}
