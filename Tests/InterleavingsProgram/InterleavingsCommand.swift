import ArgumentParser
import Dispatch
import Interleavings
import Synchronization

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
        for finding in result.findings.prefix(20) { print("seed \(finding.seed): \(finding.violation)") }
        if count == 1 || !result.findings.isEmpty {
            print(campaign.trace(of: result.findings.first?.seed ?? seed).joined(separator: "\n"))
        }
        if !result.findings.isEmpty { throw ExitCode.failure }
    }

    private func runMutants() throws {
        var survives = false
        for mutant in Mutant.allCases {
            let result = Campaign(seeds: seed..<seed + UInt64(count), mutant: mutant).run(stoppingAtFirst: true)
            guard let first = result.findings.first else {
                print("\(mutant.rawValue): SURVIVES \(result.schedules) schedules")
                survives = true
                continue
            }
            print("\(mutant.rawValue): found by seed \(first.seed): \(first.violation)")
        }
        if survives { throw ExitCode.failure }
    }
}

extension Mutant: ExpressibleByArgument {}
