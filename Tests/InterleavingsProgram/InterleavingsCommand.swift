import ArgumentParser
import Interleavings

/// Runs many schedules and prints the seeds of those that break an invariant.
@main struct InterleavingsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "interleavings")

    @Argument(help: "The number of schedules.")
    var count = 100_000

    @Option(help: "The first seed. With a count of 1, its schedule is printed.")
    var seed: UInt64 = 1

    @Option(help: "A deliberate fault: \(Mutant.allCases.map(\.rawValue).joined(separator: ", ")).")
    var mutant: Mutant?

    @Flag(help: "Print how soon each deliberate fault is found.")
    var mutants = false

    func run() throws {
        if mutants { return try runMutants() }
        let campaign = Campaign(seeds: seed..<seed + UInt64(count), mutant: mutant)
        let result = campaign.run()
        print(result.summary)
        for incident in Incident.allCases { print("    \(result.incidents[incident] ?? 0) \(incident.rawValue)") }
        for finding in result.findings.prefix(20) { print("seed \(finding.seed): \(finding.violation)") }
        if count == 1 || !result.findings.isEmpty {
            print(campaign.trace(of: result.findings.first?.seed ?? seed).joined(separator: "\n"))
        }
        if !result.findings.isEmpty { throw ExitCode.failure }
    }

    /// Prints, for each deliberate fault, the first schedule that breaks any invariant, and the first one that breaks an
    /// invariant of what is stored, told or waited for.
    private func runMutants() throws {
        var survives = false
        for mutant in Mutant.allCases {
            print(mutant.rawValue)
            for watched in [Invariant.allCases, Invariant.allCases.filter { !$0.isOfMechanism }] {
                let campaign = Campaign(seeds: seed..<seed + UInt64(count), mutant: mutant, watching: Set(watched))
                let result = campaign.run(stoppingAtFirst: true)
                if let first = result.findings.first {
                    print("    seed \(first.seed): \(first.violation)")
                } else {
                    print("    SURVIVES \(result.schedules) schedules")
                    survives = true
                }
            }
        }
        if survives { throw ExitCode.failure }
    }
}

extension Mutant: ExpressibleByArgument {}
