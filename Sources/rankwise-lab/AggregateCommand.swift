import AdapterFormat
import Aggregation
import ArgumentParser
import Foundation
import Simulation

/// `rankwise-lab aggregate`: one round's aggregation over files on disk.
struct AggregateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "aggregate",
        abstract: "Aggregate adapter files as a round of a federation would.",
        discussion: """
            Takes either a case file or a strategy, a rank and updates, and writes OUT/adapter.safetensors under PEFT's \
            tensor names, and OUT/merge.safetensors where the strategy adds to the base.

              rankwise-lab aggregate --strategy rbla --rank 16 --out out \\
                --update a.safetensors:samples=600 --update b.safetensors:samples=150,scale=2

            With --partial it writes the exact sum of these updates as a part of a round, and the list of its clients in \
            OUT.safetensors.clients. --combine adds parts to the round's adapter, or to a part again: the same bytes for \
            any tree of parts, and for one case of all updates with sum exact. Clients of several cases need names \
            ("client" beside "file").

              rankwise-lab aggregate --case east.json --partial east.safetensors
              rankwise-lab aggregate --combine east.safetensors west.safetensors --out out
            """)

    @Option(name: .customLong("case"), help: "A JSON file with strategy, ranks, scales and updates.")
    var casePath: String?

    @Option(help: "The folder to write to; made if it is not there.")
    var out: String?

    @Option(help: "The file to write a part of a round to, in place of --out.")
    var partial: String?

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("Parts of one round, in place of updates; no client may be in two.", valueName: "part"))
    var combine: [String] = []

    @Option(help: "The name of the strategy.")
    var strategy: String?

    @Option(help: "The maximum rank of every module.")
    var rank: Int?

    @Option(
        help: ArgumentHelp(
            "How clients' weights are counted: \(Weighting.names.joined(separator: ", ")); the strategy's own if left out."
        ))
    var weighting: String?

    @Option(help: "How means are added up: float (if left out) or exact, the same bytes for any tree of parts.")
    var sum: String?

    @Option(
        name: .customLong("parameter"),
        help: ArgumentHelp("One of the strategy's parameters, such as residual_rank=8.", valueName: "name=value"))
    var parameters: [ParameterArgument] = []

    @Option(help: "A robust rule: \(RobustRule.names.joined(separator: ", ")); none if left out.")
    var robust: String?

    @Option(
        name: .customLong("robust-parameter"),
        help: ArgumentHelp("One of the rule's parameters, such as byzantine=2.", valueName: "name=value"))
    var robustParameters: [ParameterArgument] = []

    @Option(help: "The number of the round, which some strategies alternate or draw by; 1 if left out.")
    var round: Int?

    @Option(help: "Draws what the strategy begins afresh; 0 if left out.")
    var seed: UInt64?

    @Option(help: "How the scale follows from the rank: constant (if left out), lora or rslora.")
    var scaling: String?

    @Option(help: "lora_alpha for lora and rslora scaling; the scale itself for constant scaling; 1 if left out.")
    var alpha: Double?

    @Option(help: "The last round's adapter, for rows that no update reaches.")
    var previous: String?

    @Option(
        name: .customLong("update"),
        help: ArgumentHelp(
            "A client's adapter, in ascending client name.",
            valueName: "file:samples=N[,scale=S][,accuracy=A][,loss=L][,staleness=T]"))
    var updates: [UpdateArgument] = []

    @Option(help: "The type of the written numbers: F32 (if left out), F16 or BF16.")
    var dtype: String?

    @Option(help: "How many threads add up modules.")
    var threads = 2

    func validate() throws {
        guard (out == nil) != (partial == nil) else { throw ValidationError("Give either --out or --partial.") }
        if !combine.isEmpty {
            let others = [(name: "case", isGiven: casePath != nil)] + optionsOfCase.filter { $0.name != "previous" }
            if let option = others.first(where: \.isGiven) {
                throw ValidationError("--\(option.name) goes without --combine, whose parts say it themselves.")
            }
            if partial != nil, previous != nil {
                throw ValidationError("--previous goes with --out: rows are kept where parts become an adapter.")
            }
        } else if casePath == nil {
            guard strategy != nil, rank != nil, !updates.isEmpty else {
                throw ValidationError("Give --case, --combine, or --strategy, --rank and at least one --update.")
            }
        } else if let option = optionsOfCase.first(where: \.isGiven) {
            throw ValidationError("--\(option.name) goes without --case, which says it itself.")
        }
        if partial != nil, dtype != nil {
            throw ValidationError("--dtype goes without --partial, whose numbers are integers.")
        }
        for (index, parameter) in parameters.enumerated()
        where parameters[..<index].contains(where: { $0.name == parameter.name }) {
            throw ValidationError("--parameter \(parameter.name) is given twice.")
        }
        for (index, parameter) in robustParameters.enumerated()
        where robustParameters[..<index].contains(where: { $0.name == parameter.name }) {
            throw ValidationError("--robust-parameter \(parameter.name) is given twice.")
        }
        guard robust != nil || robustParameters.isEmpty else {
            throw ValidationError("--robust-parameter goes with --robust.")
        }
        guard threads > 0 else { throw ValidationError("--threads must be at least 1.") }
    }

    func run() throws {
        if let partial { return try PartialSumOutput.write(to: partial, writePart) }
        guard let out else { return }
        if combine.isEmpty {
            let round = try givenCase()
            try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
            try round.aggregate(threads: threads, type: dtype ?? "F32", into: URL(filePath: out))
        } else {
            try combineParts(into: out)
        }
    }

    private func givenCase() throws -> AggregationCase {
        try casePath.map { try AggregationCase(path: $0) } ?? argumentsAsCase()
    }

    private func writePart(to target: PartialSumTarget) throws {
        if combine.isEmpty {
            try givenCase().writePart(threads: threads, to: target)
        } else {
            try PartialSumSet(paths: combine).write(to: target, threads: threads)
        }
    }

    private func combineParts(into out: String) throws {
        let type = try ScalarType(publishable: dtype ?? "F32")
        let parts = try PartialSumSet(paths: combine)
        let earlier = try previous.map { path in
            do { return try AdapterFile(SafetensorsFile(path: path)) } catch { throw CaseError("\(path): \(error)") }
        }
        try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
        var folder = RoundFolder(URL(filePath: out), type: type)
        try parts.publish(after: EarlierRound(previous: earlier), threads: threads, into: &folder)
        try folder.finish()
    }

    /// The options that a case gives itself, and whether the command line gives them too.
    private var optionsOfCase: [(name: String, isGiven: Bool)] {
        [
            ("strategy", strategy != nil), ("rank", rank != nil), ("update", !updates.isEmpty),
            ("weighting", weighting != nil), ("parameter", !parameters.isEmpty), ("round", round != nil),
            ("seed", seed != nil), ("scaling", scaling != nil), ("alpha", alpha != nil), ("previous", previous != nil),
            ("sum", sum != nil), ("robust", robust != nil),
        ]
    }

    private func argumentsAsCase() throws -> AggregationCase {
        AggregationCase(
            strategy: strategy ?? "", rank: rank ?? 0,
            scaling: .init(
                mode: scaling ?? "constant", value: scaling == nil || scaling == "constant" ? alpha ?? 1 : nil,
                alpha: scaling == nil || scaling == "constant" ? nil : alpha ?? 1), weighting: weighting,
            updates: updates.map {
                .init(
                    file: $0.file, samples: $0.samples, scale: $0.scale, accuracy: $0.accuracy, loss: $0.loss,
                    staleness: $0.staleness)
            },
            previous: previous, round: round ?? 1, seed: seed ?? 0, server: nil,
            robust: robust.map { rule in
                .init(
                    rule: rule,
                    parameters: Dictionary(
                        robustParameters.map { ($0.name, $0.value) }, uniquingKeysWith: { _, last in last }))
            }, sum: sum,
            parameters: Dictionary(parameters.map { ($0.name, $0.value) }, uniquingKeysWith: { _, last in last }))
    }
}

/// `FILE:samples=N[,scale=S][,accuracy=A][,loss=L][,staleness=T]`
struct UpdateArgument: ExpressibleByArgument {
    let file: String
    let samples: Int
    let scale: Double?
    let accuracy: Double?
    let loss: Double?
    let staleness: Int?

    init?(argument: String) {
        guard let colon = argument.lastIndex(of: ":"), colon != argument.startIndex else { return nil }
        var named: Set<Substring> = []
        var samples: Int?
        var scale: Double?
        var accuracy: Double?
        var loss: Double?
        var staleness: Int?
        for part in argument[argument.index(after: colon)...].split(separator: ",", omittingEmptySubsequences: false) {
            let pair = part.split(separator: "=", maxSplits: 1)
            guard pair.count == 2, named.insert(pair[0]).inserted else { return nil }
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
            case "loss":
                loss = Double(pair[1])
                guard loss != nil else { return nil }
            case "staleness":
                staleness = Int(pair[1])
                guard let staleness, staleness >= 0 else { return nil }
            default: return nil
            }
        }
        guard let samples, samples >= 0 else { return nil }
        self.file = String(argument[..<colon])
        self.samples = samples
        self.scale = scale
        self.accuracy = accuracy
        self.loss = loss
        self.staleness = staleness
    }
}

/// `NAME=VALUE` with a number, true, false or null.
struct ParameterArgument: ExpressibleByArgument {
    let name: String
    let value: ParameterValue

    init?(argument: String) {
        let pair = argument.split(separator: "=", maxSplits: 1)
        guard pair.count == 2 else { return nil }
        name = String(pair[0])
        switch pair[1] {
        case "true": value = .flag(true)
        case "false": value = .flag(false)
        case "null": value = .null
        default:
            guard let number = Double(pair[1]) else { return nil }
            value = .number(number)
        }
    }
}
