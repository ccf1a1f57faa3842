package import ArgumentParser
import ProcessSignals
import Synchronization

/// The server's command line.
package struct RankwiseServer: AsyncParsableCommand {
    static let version = "0.1.0"

    private static let clusterData = Mutex<ClusterData?>(nil)
    /// Opens data that servers share; nil in the program that does not know it.
    static var cluster: ClusterData? { clusterData.withLock { $0 } }

    private static let upstreamLink = Mutex<UpstreamLink?>(nil)
    /// Follows a root; nil in the program that does not know the way.
    static var upstream: UpstreamLink? { upstreamLink.withLock { $0 } }

    package init() {}

    package static let configuration = CommandConfiguration(
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
        subcommands: [
            ServeCommand.self, CheckConfigCommand.self, BackupCommand.self, VerifyCommand.self, MigrateDataCommand.self,
            PinCommand.self,
        ],
        defaultSubcommand: nil)

    /// Runs the command line.
    package static func main(cluster: ClusterData? = nil, upstream: UpstreamLink? = nil) async {
        clusterData.withLock { $0 = cluster }
        upstreamLink.withLock { $0 = upstream }
        // Only the server has work to finish; the other commands end at once.
        if CommandLine.arguments.dropFirst().first == ServeCommand.configuration.commandName {
            StopSignal.hold(hangUp: true)
        }
        await main(nil)
    }
}
