import ArgumentParser
import Foundation
import Training

/// `rankwise-lab score`: scores many clients' adapters on one validation set.
struct ScoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "score",
        abstract: "Score many adapters on one data set in one pass over the base model.",
        discussion: """
            Prints a row for each adapter: its name, its lowest and highest rank, accuracy and mean loss. Ranks may differ. \
            An --update is an adapter's file, or a folder: each .safetensors file in it, and each folder in it that holds an \
            adapter_model.safetensors. The scales come from the adapter_config.json beside each file.

              rankwise-lab score --base data/minilm --data heldout.tsv --update updates --csv scores.csv
            """)

    @OptionGroup var options: ScoringOptions
    @Option(
        name: .customLong("update"), parsing: .upToNextOption,
        help: ArgumentHelp("Adapter files, or folders of them.", valueName: "path"))
    var updates: [String]
    @Option(help: "The adapter_config.json of all; by default the one beside each.") var config: String?
    @Option(help: "A file for the scores as CSV.") var csv: String?
    @Option(help: "A file for the scores as JSON.") var json: String?
    @Flag(help: "Score one adapter after the other, as `evaluate` does.") var oneAtATime = false

    func run() throws {
        do {
            let files = try AdapterFiles(at: updates, configuration: config)
            let task = try options.task(for: files.first.file)
            var scores: [Evaluation] = []
            let seconds = try ContinuousClock().measure {
                scores = try files.score(task, options, oneAtATime: oneAtATime)
            }
            let report = ScoreReport(
                files, scores, examples: task.count, oneAtATime: oneAtATime, seconds: seconds / .seconds(1))
            if let csv { try Data(report.csv.utf8).write(to: URL(filePath: csv), options: .atomic) }
            if let json { try report.json().write(to: URL(filePath: json), options: .atomic) }
            print(report.table, terminator: "")
        } catch {
            throw ValidationError("\(error)")
        }
    }
}
