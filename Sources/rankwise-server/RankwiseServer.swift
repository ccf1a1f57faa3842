import ArgumentParser

/// The server's command line.
@main
struct RankwiseServer: AsyncParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "rankwise-server",
        abstract: "Coordinates federated LoRA fine-tuning over HTTP.",
        discussion: """
            Clients of unequal rank register, train and PUT their adapters; every round is aggregated rank by rank and \
            published, so that each client downloads the part of the global adapter that fits its rank.

            Start with:
              rankwise-server serve --data ./data
              curl -s http://127.0.0.1:8080/healthz

            The admin's token is in DATA/admin.token. docs/operating.md tells the rest.
            """,
        version: version,
        subcommands: [ServeCommand.self, CheckConfigCommand.self, BackupCommand.self, VerifyCommand.self],
        defaultSubcommand: nil)

    static func main() async {
        StopSignal.hold()
        do {
            var command = try parseAsRoot()
            // Only the server has something to finish; the others end at once.
            if !(command is ServeCommand) { StopSignal.release() }
            if var waiting = command as? any AsyncParsableCommand {
                try await waiting.run()
            } else {
                try command.run()
            }
        } catch {
            exit(withError: error)
        }
    }
}
