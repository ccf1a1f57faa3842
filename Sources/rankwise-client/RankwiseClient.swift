import ArgumentParser
import Glibc
import ProcessSignals
import SystemPackage

/// The client's command line.
@main
struct RankwiseClient: AsyncParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "rankwise-client",
        abstract: "Trains a federation's LoRA adapter on this machine's data; the data stay here.",
        discussion: """
            Start with:
              export RANKWISE_TOKEN=…
              rankwise-client join http://SERVER:8080 \\
                --federation digits --name edge-07 --rank 42 --data digits.csv

            Exit codes: 0 done, or stopped by SIGTERM or SIGINT; 2 usage; 3 refused by the server; 4 server out of reach \
            for too long; 5 training failed. Any of them may be started again: it goes on as the same client, and trains \
            no finished round twice.
            """,
        version: version,
        subcommands: [
            JoinCommand.self, StatusCommand.self, EvaluateCommand.self, FuseCommand.self, ExportCommand.self,
            GenerateCommand.self, ChatCommand.self,
        ])

    static func main() async {
        // A connection that breaks during a TLS write must be an error, not a signal.
        signal(SIGPIPE, SIG_IGN)
        // Only an agent has state to save; the other commands end at once.
        if CommandLine.arguments.dropFirst().first == JoinCommand.configuration.commandName { StopSignal.hold() }
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
            _ = try? FileDescriptor.standardError.writeAll((fullMessage(for: error) + "\n").utf8)
            exit(withError: ExitStatus.usage.code)
        }
    }
}
