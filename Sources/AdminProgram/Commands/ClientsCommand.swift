import ArgumentParser
import RankwiseWire

/// Lists a federation's clients.
struct ClientsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "clients", abstract: "List a federation's clients.")

    @OptionGroup var target: FederationArgument
    @OptionGroup var server: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer = try await server.api().clients(target.federation)
        let rows = answer.body.clients.map { client in
            [
                client.name, "\(client.rank)", client.lastSeenAt, client.revoked ? "revoked" : "registered",
                Cells.text(client.capabilities["trainer"]?.string), Cells.text(client.capabilities["version"]?.string),
            ]
        }
        try output.show(answer.json, Cells.list(["CLIENT", "RANK", "SEEN", "STATE", "TRAINER", "VERSION"], rows))
    }
}
