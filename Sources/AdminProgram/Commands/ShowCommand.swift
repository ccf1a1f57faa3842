import ArgumentParser
import RankwiseWire
import ServerCalls

/// Shows one federation.
struct ShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show a federation and its current round.",
        discussion: "With --json: the federation with all its settings. `rounds F current --json` is the round.")

    @OptionGroup var target: FederationArgument
    @OptionGroup var server: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let api = try server.api()
        let federation = try await api.federation(target.federation)
        guard !output.json else { return try OutputOptions.write(String(decoding: federation.json, as: UTF8.self)) }
        let round = try await api.round(target.federation, "current")
        try OutputOptions.write(RoundTable(federation.body, round.body).lines(width: Terminal.width))
    }
}
