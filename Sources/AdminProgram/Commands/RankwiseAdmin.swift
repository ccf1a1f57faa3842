package import ArgumentParser
import Foundation

/// The operator's command line.
package struct RankwiseAdmin: AsyncParsableCommand {
    static let version = "0.1.0"

    package init() {}

    package static let configuration = CommandConfiguration(
        commandName: "rankwise-admin",
        abstract: "Creates, watches and ends federations on a Rankwise server.",
        discussion: """
            Start with:
              export RANKWISE_SERVER=http://127.0.0.1:8080
              export RANKWISE_ADMIN_TOKEN=$(cat DATA/admin.token)
              rankwise-admin create Config/digits.yaml
              rankwise-admin kit digits --out edge-07.kit
              rankwise-admin watch digits

            Every command has --json, which prints what the server answered. Exit codes: 0 done; 1 refused by the server, \
            or not found; 2 a local file cannot be read or written; 3 not authorised; 4 the server is out of reach, busy, \
            or not Rankwise; 5 what was watched failed; 64 usage.
            """,
        version: version,
        subcommands: [
            CreateCommand.self, TemplateCommand.self, ForkCommand.self, ListCommand.self, ShowCommand.self,
            WatchCommand.self, RoundsCommand.self, ClientsCommand.self, EventsCommand.self, TokensCommand.self,
            KitCommand.self, RevokeCommand.self, PauseCommand.self, ResumeCommand.self, FinishCommand.self,
            DeleteCommand.self, DownloadCommand.self,
        ])

    /// Runs the command line and ends the process.
    package static func run() async -> Never {
        // A connection that breaks during a TLS write must be an error, not a signal.
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            exit()
        } catch let error as AdminError {
            try? FileHandle.standardError.write(contentsOf: Data("rankwise-admin: \(error)\n".utf8))
            exit(withError: error.exit.code)
        } catch {
            exit(withError: error)
        }
    }
}
