import ArgumentParser

/// Revokes a client.
struct RevokeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Revoke a client and its token; it cannot come back under this name.",
        discussion: "With --json: the client as it is now.")

    @OptionGroup var target: FederationArgument
    @Argument(help: "The client's name.") var client: Name
    @OptionGroup var server: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let api = try server.api()
        try await api.revoke(target.federation, client)
        let answer = try await api.client(target.federation, client)
        try output.show(answer.json, ["client \(client) of \(target.federation) is revoked"])
    }
}
