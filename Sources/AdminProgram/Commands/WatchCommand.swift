import ArgumentParser
import Foundation
import RankwiseWire
import ServerCalls

/// Prints a line for each change of a federation's rounds.
struct WatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Print a line for each change of a federation's rounds, until it is finished.",
        discussion: """
            A server that restarts is waited for, up to a day. Exit code 0: the federation is finished and its last round \
            was published; 5: its last round failed, or none was ever opened. With --json: the round object of each \
            change, one a line.
            """)

    @OptionGroup var target: FederationArgument
    @Option(
        help: ArgumentHelp(
            "How long a request for news waits, 1 to 60; below what proxies on the way allow.", valueName: "seconds"))
    var poll = 25
    @OptionGroup var server: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (1...60).contains(poll) else { throw ValidationError("--poll is \(poll); expected 1 to 60 seconds") }
    }

    func run() async throws {
        var watch = RoundWatch(try server.api(), target.federation, wait: .seconds(poll))
        var shown: WatchLine?
        while true {
            let news = try await watch.next { OutputOptions.note("\($0); trying again") }
            for round in news.rounds {
                let line = WatchLine(
                    round.body, total: news.federation.settings.round.total, state: news.federation.state)
                // Some changes, such as a new client's, do not concern the round.
                guard output.json || line != shown else { continue }
                try output.show(round.json, [line.text(at: .now)])
                shown = line
            }
            guard news.isLast, let round = news.rounds.last?.body else { continue }
            return try end(round)
        }
    }

    private func end(_ round: RoundBody) throws(AdminError) {
        guard round.phase == "published" else {
            let last = round.round == 0 ? "no round was opened" : "its last round, \(round.round), failed: "
            throw .failed("\(target.federation) is finished; \(last)\(round.reason ?? "")")
        }
        if !output.json { try OutputOptions.write(["\(target.federation) is finished"]) }
    }
}
