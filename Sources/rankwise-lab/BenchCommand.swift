import ArgumentParser
import Benchmarks

/// `rankwise-lab bench`: measures parts of Rankwise on this machine.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure on this machine and print JSON.",
        subcommands: [
            BenchAggregateCommand.self, BenchTrainCommand.self, BenchScoreCommand.self, BenchObjectStoreCommand.self,
            BenchObjectPutsCommand.self,
        ])
}
