import ArgumentParser

/// The researcher's tool: aggregates files on disk, measures, simulates.
@main
struct RankwiseLab: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rankwise-lab",
        abstract: "Work with LoRA adapters and federations from the command line.",
        subcommands: [AggregateCommand.self])
}
