import ArgumentParser
import RankwiseWire

/// Lists the federations.
struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the federations that the token may read.")

    @OptionGroup var server: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer = try await server.api().list()
        let rows = answer.body.federations.map { federation in
            [
                federation.id, federation.state, "\(federation.round) of \(federation.settings.round.total)",
                "\(federation.clients)", federation.settings.strategy.name, federation.createdAt,
            ]
        }
        try output.show(
            answer.json, Cells.list(["FEDERATION", "STATE", "ROUND", "CLIENTS", "STRATEGY", "CREATED"], rows))
    }
}
