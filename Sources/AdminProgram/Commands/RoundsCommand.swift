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
        try output.show(
            RoundList(rounds: rounds.map(\.json)),
            Cells.list(
                ["ROUND", "PHASE", "RECEIVED", "REFUSED", "LOSS", "ACCURACY", "CLOSED", "REASON"],
                rounds.map { round in
                    [
                        "\(round.body.round)", round.body.phase, round.body.progress, "\(round.body.refused)",
                        Cells.number(round.body.metrics.loss), Cells.number(round.body.metrics.accuracy),
                        Cells.text(round.body.closedAt), round.body.reason ?? "",
                    ]
                }))
    }

    private func show(_ round: String, _ api: AdminAPI) async throws {
        let answer = try await api.round(target.federation, round)
        guard !output.json else { return try OutputOptions.write(String(decoding: answer.json, as: UTF8.self)) }
        let federation = try await api.federation(target.federation)
        try OutputOptions.write(RoundTable(federation.body, answer.body).lines(width: Terminal.width))
    }
}
