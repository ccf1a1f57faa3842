import ArgumentParser

/// The researcher's tool: aggregates files on disk, splits data sets, evaluates and follows federations.
@main
struct RankwiseLab: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rankwise-lab",
        abstract: "Work with LoRA adapters and federations from the command line.",
        version: "0.1.0",
        subcommands: [
            AggregateCommand.self, ConvertCommand.self, PartitionCommand.self, BaseCommand.self, SettingsCommand.self,
            TrainCommand.self,
            EvaluateCommand.self,
            ScoreCommand.self, TokenizeCommand.self,
            FollowCommand.self, SimulateCommand.self, ReproduceCommand.self, ReportCommand.self, BenchCommand.self,
        ])
}
