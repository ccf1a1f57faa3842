import ArgumentParser
import Foundation
import Simulation

/// `rankwise-lab reproduce attacks`: attacks by robust rules.
struct ReproduceAttacksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attacks",
        abstract: "Attacks on a federation under each robust rule.",
        discussion: """
            Handwritten digits on mlp-64-200-200-10, ten clients of ranks 6 to 60, of which two attack: by staircase split and \
            IID. The rules are told of two attackers: trimmed and median change a row that five clients \
            hold, trimmed drops two fifths on each side, multi-krum is krum that keeps eight. The tables have the accuracy after the \
            last round, and how often a backdoor works.

              rankwise-lab reproduce attacks --data Config/data/digits.csv --out runs
            """)

    @Option(help: "A CSV file, as scripts/data digits writes it.") var data: String
    @Option(help: "Where the runs are kept.") var out: String
    @Option(help: "A strategy that robust rules go with.") var strategy = "rbla"
    @Option(help: "Names with commas between; none is the clean run.") var attacks: String?
    @Option(help: "Names with commas between; none is the strategy alone.") var rules: String?
    @Option(help: "Names with commas between: staircase, iid.") var splits: String?
    @Option(help: "Whole numbers with commas between.") var seeds = "1,2,3"
    @Option(help: "How many rounds.") var rounds = 20
    @Option(help: "How many clients train at a time.") var threads = 2

    func run() async throws {
        do {
            let schemes = try splits.map(ReproducedRun.list)?.map { name in
                guard let scheme = SimulationSettings.Deal.Scheme(rawValue: name),
                    AttackReproduction.splits.contains(scheme)
                else { throw ValidationError("--splits has '\(name)'; expected staircase or iid") }
                return scheme
            }
            let reproduction = AttackReproduction(
                data: data, strategy: strategy,
                attacks: attacks.map(ReproducedRun.list) ?? AttackReproduction.attacks,
                rules: rules.map(ReproducedRun.list) ?? AttackReproduction.rules,
                splits: schemes ?? AttackReproduction.splits, seeds: try ReproducedRun.numbers(seeds), rounds: rounds,
                threads: threads)
            var failures = 0
            var results: [AttackReproduction.Result] = []
            for run in try reproduction.runs() {
                if try await !ReproducedRun.play(run.run, below: out) { failures += 1 }
                guard let last = try RunFolder(reading: out + "/" + run.run.path).records.last else { continue }
                results.append(.init(run: run, last: last))
            }
            try Report(title: "Attacks by robust rules", groups: try ReportGroup.read(below: out)).write(
                to: out + "/report.html")
            print(reproduction.markdown(results))
            if failures > 0 { throw ExitCode.failure }
        } catch let error as ExitCode {
            throw error
        } catch {
            throw LabFailure.shown(error)
        }
    }
}
