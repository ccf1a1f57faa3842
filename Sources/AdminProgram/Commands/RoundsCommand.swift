import ArgumentParser
import Foundation
import RankwiseWire
import ServerCalls

/// Lists a federation's rounds, or shows one.
struct RoundsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rounds", abstract: "List a federation's rounds, the newest first, or show one.")

    @OptionGroup var target: FederationArgument
    @Argument(help: "A round's number, or `current`.") var round: String?
    @Option(help: "How many rounds are listed.") var limit = 20
    @OptionGroup var server: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if let round, round != "current", Int(round).map({ $0 < 0 }) ?? true {
            throw ValidationError("the round is '\(round)'; expected a number, or current")
        }
        guard limit >= 1 else { throw ValidationError("--limit is \(limit); expected at least 1") }
    }

    func run() async throws {
        let api = try server.api()
        if let round { return try await show(round, api) }
        let rounds = try await RoundPages(api, target.federation).newest(limit)
        let evaluated = rounds.contains { $0.body.evaluation != nil } ? ["EVALUATED"] : []
        try output.show(
            RoundList(rounds: rounds.map(\.json)),
            Cells.list(
                ["ROUND", "PHASE", "RECEIVED", "REFUSED", "LOSS", "ACCURACY"] + evaluated + ["CLOSED", "REASON"],
                rounds.map { round in
                    [
                        "\(round.body.round)", round.body.phase, round.body.progress, "\(round.body.refused)",
                        Cells.number(round.body.metrics.loss), Cells.number(round.body.metrics.accuracy),
                    ] + evaluated.map { _ in Self.words(round.body.evaluation) } + [
                        Cells.text(round.body.closedAt), round.body.reason ?? "",
                    ]
                }))
    }

    /// An evaluation in a cell: its means, without the time that it took.
    private static func words(_ evaluation: RoundBody.Evaluation?) -> String {
        guard let evaluation else { return Cells.none }
        guard evaluation.state != "open" else { return "\(evaluation.received) of \(evaluation.selected)" }
        let means = evaluation.metrics.filter { $0.key != "seconds" }.sorted { $0.key < $1.key }
        return means.isEmpty
            ? Cells.none : means.map { "\($0.key) \(Cells.number($0.value.mean))" }.joined(separator: ", ")
    }

    private func show(_ round: String, _ api: AdminAPI) async throws {
        let answer = try await api.round(target.federation, round)
        guard !output.json else { return try OutputOptions.write(String(decoding: answer.json, as: UTF8.self)) }
        let federation = try await api.federation(target.federation)
        try OutputOptions.write(RoundTable(federation.body, answer.body).lines(width: Terminal.width))
    }
}
