import ArgumentParser
import Foundation

/// `rankwise-lab aggregate`: one round's aggregation over files on disk.
struct AggregateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "aggregate",
        abstract: "Aggregate adapter files as a round of a federation would.",
        discussion: """
            Takes either a case file or a strategy, a rank and updates, and writes OUT/adapter.safetensors under PEFT's \
            tensor names.

              rankwise-lab aggregate --strategy rbla --rank 16 --out out \\
                --update a.safetensors:samples=600 --update b.safetensors:samples=150,scale=2
            """)

    @Option(name: .customLong("case"), help: "A JSON file with strategy, ranks, scales and updates.")
    var casePath: String?

    @Option(help: "The folder to write to; made if it is not there.")
    var out: String

    @Option(help: "The name of the strategy.")
    var strategy: String?

    @Option(help: "The maximum rank of every module.")
    var rank: Int?

    @Option(help: "How clients' weights are counted: samples or uniform.")
    var weighting = "samples"

    @Option(help: "How the scale follows from the rank: constant, lora or rslora.")
    var scaling = "constant"

    @Option(help: "lora_alpha for lora and rslora scaling; the scale itself for constant scaling.")
    var alpha = 1.0

    @Option(help: "The last round's adapter, for rows that no update reaches.")
    var previous: String?

    @Option(
        name: .customLong("update"),
        help: ArgumentHelp(
            "A client's adapter, in ascending client name.", valueName: "file:samples=N[,scale=S][,accuracy=A]"))
    var updates: [UpdateArgument] = []

    @Option(help: "The type of the written numbers: F32, F16 or BF16.")
    var dtype = "F32"

    @Option(help: "How many threads add up modules.")
    var threads = 2

    func validate() throws {
        if casePath == nil {
            guard strategy != nil, rank != nil, !updates.isEmpty else {
                throw ValidationError("Give --case, or --strategy, --rank and at least one --update.")
            }
        } else if strategy != nil || rank != nil || !updates.isEmpty {
            throw ValidationError("--case takes the place of --strategy, --rank and --update.")
        }
        guard threads > 0 else { throw ValidationError("--threads must be at least 1.") }
    }

    func run() throws {
        let round = try casePath.map { try AggregationCase(path: $0) } ?? argumentsAsCase()
        try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
        try round.aggregate(threads: threads, type: dtype, into: URL(filePath: out))
    }

    private func argumentsAsCase() throws -> AggregationCase {
        AggregationCase(
            strategy: strategy ?? "", rank: rank ?? 0,
            scaling: .init(mode: scaling, value: alpha, alpha: alpha), weighting: weighting,
            updates: updates.map { .init(file: $0.file, samples: $0.samples, scale: $0.scale) }, previous: previous)
    }
}

/// `FILE:samples=N[,scale=S][,accuracy=A]`
struct UpdateArgument: ExpressibleByArgument {
    let file: String
    let samples: Int
    let scale: Double?
    let accuracy: Double?

    init?(argument: String) {
        guard let colon = argument.lastIndex(of: ":"), colon != argument.startIndex else { return nil }
        var samples: Int?
        var scale: Double?
        var accuracy: Double?
        for part in argument[argument.index(after: colon)...].split(separator: ",", omittingEmptySubsequences: false) {
            let pair = part.split(separator: "=", maxSplits: 1)
            guard pair.count == 2 else { return nil }
            switch pair[0] {
            case "samples":
                samples = Int(pair[1])
                guard samples != nil else { return nil }
            case "scale":
                scale = Double(pair[1])
                guard scale != nil else { return nil }
            case "accuracy":
                accuracy = Double(pair[1])
                guard accuracy != nil else { return nil }
            default: return nil
            }
        }
        guard let samples, samples >= 0 else { return nil }
        self.file = String(argument[..<colon])
        self.samples = samples
        self.scale = scale
        self.accuracy = accuracy
    }
}
