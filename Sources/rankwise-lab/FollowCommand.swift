import ArgumentParser
import ClientAgent
import Foundation
import HTTPFetching
import RankwiseWire
import ServerCalls
import Simulation
import Training
import TrainingData

/// `rankwise-lab follow`: scores every round of a federation on held-out data when it is published.
struct FollowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "follow",
        abstract: "Follow a federation round by round and score its models.",
        discussion: """
            Prints a line for each round until the federation is finished; the last line is the strategy, the final \
            accuracy and the first round that reached 90%, separated by tabs; of a language model, it is the perplexity. The reader's token comes from RANKWISE_TOKEN \
            or --token-file.
            """)

    @Argument(help: "The server, such as http://127.0.0.1:8080.") var url: String
    @Option(help: "The federation.") var federation: String
    @Option(help: "Held-out examples: a CSV file (label last) or IDX images with their labels beside them.") var data:
        String
    @Option(
        help: """
            The federation's pretrained model: a BERT's folder, for texts with a class and a tab before each; a language \
            model's folder or GGUF file, for JSON Lines.
            """)
    var base: String?
    @Option(help: "A file that holds the reader's token.") var tokenFile: String?
    @Option(
        help: "The certificates (PEM) that the server's is signed by, instead of the system's; or RANKWISE_CA_FILE.")
    var caFile: String?

    /// How long the command waits for a server that does not answer.
    private static let patience = Duration.seconds(300)

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        let folder = NSTemporaryDirectory() + "rankwise-follow-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let endpoint = FederationEndpoint(
                server: url, federation: federation, token: try token(),
                fetcher: try HTTPFetcher(
                    tls: .init(authority: caFile ?? ProcessInfo.processInfo.environment["RANKWISE_CA_FILE"])))
            let settings = try await answer { () async throws(CallError) in try await endpoint.settings().settings }
            let model = try ModelRegistry.model(
                base.map(ModelSource.pretrained)
                    ?? .name(settings.baseModel.name, seed: settings.baseModel.seed ?? 0),
                dense: settings.adapter.dense.mapValues(\.shape))
            let scorer = RoundScorer(settings: settings, examples: try model.task(data: data), folder: folder)
            try await follow(endpoint, scorer, strategy: settings.strategy.name)
        } catch let error
            where error is CallError || error is DataSetError || error is TextError || error is TrainingError
            || error is FetchError
        {
            throw LabFailure.shown(error)
        }
    }

    private func follow(_ endpoint: FederationEndpoint, _ scorer: RoundScorer, strategy: String) async throws {
        var last: Evaluation?
        var firstAtNinety: Int?
        var numbers: [Int] = []
        let figure = scorer.predictsTokens ? "perplexity" : "accuracy"
        try show("round\tupdates\tranks\tclient_loss\t\(figure)")
        var walk = EndedRounds(endpoint)
        while let round = try await answer({ () async throws(CallError) in try await walk.next() }) {
            numbers.append(round.round)
            guard round.phase == "published" else {
                try show("\(round.round)\t\(round.received)\t-\t-\t\(round.phase): \(round.reason ?? "")")
                continue
            }
            try await answer { () async throws(CallError) in try await scorer.download(round.round, from: endpoint) }
            let reached = try scorer.evaluation()
            last = reached
            if reached.accuracy >= 0.9, firstAtNinety == nil { firstAtNinety = round.round }
            let accepted = round.updates.filter { $0.status == "accepted" }
            let ranks = accepted.map(\.rank)
            try show(
                [
                    "\(round.round)", "\(accepted.count)", "\(ranks.min() ?? 0)-\(ranks.max() ?? 0)",
                    round.metrics.loss?.formatted(places: 3) ?? "-",
                    (reached.perplexity ?? reached.accuracy).formatted(places: 3),
                ].joined(separator: "\t"))
        }
        try await showEvaluations(of: numbers, endpoint)
        if scorer.predictsTokens {
            try show("\(strategy)\tperplexity=\(last?.perplexity?.formatted(places: 3) ?? "-")")
            return
        }
        let accuracy = last?.accuracy
        try show(
            [
                strategy, "accuracy=\(accuracy?.formatted(places: 3) ?? "-")",
                "rounds_to_90=\(firstAtNinety.map(String.init) ?? "-")",
            ].joined(separator: "\t"))
    }

    /// Shows what clients found, which is known once the federation is finished.
    private func showEvaluations(of rounds: [Int], _ endpoint: FederationEndpoint) async throws {
        guard try await answer({ () async throws(CallError) in try await endpoint.settings() }).evaluation != nil
        else { return }
        var found: [RoundBody] = []
        for number in rounds {
            found.append(try await answer { () async throws(CallError) in try await endpoint.round(number) })
        }
        for line in EvaluationSummary(found).lines { try show(line) }
    }

    /// The answer to `call`, which is repeated while the server does not answer.
    private func answer<Value>(_ call: () async throws(CallError) -> Value) async throws(CallError) -> Value {
        var generator = SystemRandomNumberGenerator()
        return try await Persistence(limit: Self.patience).answer(using: &generator) {
            (_) async throws(CallError) in try await call()
        }
    }

    /// Prints a line and flushes it, also into a pipe.
    private func show(_ line: String) throws {
        try FileHandle.standardOutput.write(contentsOf: Data((line + "\n").utf8))
    }

    private func token() throws -> String? {
        do throws(AccessError) {
            return try AccessFiles.token(file: tokenFile, variable: "RANKWISE_TOKEN")
        } catch {
            throw ValidationError("\(error)")
        }
    }
}
