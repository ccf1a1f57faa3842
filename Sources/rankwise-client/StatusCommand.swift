import ArgumentParser
import ClientAgent
import Foundation
import HTTPFetching
import RankwiseWire

/// Shows the current round of a federation.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show how a federation's current round stands.",
        discussion: """
            RANKWISE_TOKEN, or the file of --token-file, must hold a reader's, a client's or the admin's token of the \
            federation.
            """)

    @OptionGroup var server: ServerOptions

    @Flag(help: "Show it again whenever it changes, until the federation is finished.")
    var watch = false

    func run() async throws {
        do {
            let fetcher = try HTTPFetcher()
            let endpoint = FederationEndpoint(
                server: server.url, federation: server.federation, token: try server.token(), fetcher: fetcher)
            try await follow(endpoint)
        } catch let error as CallError {
            FileHandle.standardError.write(Data("rankwise-client: \(error)\n".utf8))
            throw ExitStatus(error).code
        }
    }

    private func follow(_ endpoint: FederationEndpoint) async throws {
        var round = try await endpoint.currentRound(after: nil, wait: .zero)
        var backoff = Backoff()
        while true {
            do throws(CallError) {
                let federation = try await endpoint.settings()
                if let round { draw(RoundTable(federation, round)) }
                guard watch, federation.state != "finished" else { return }
                let revision = round?.revision
                repeat {
                    round = try await endpoint.currentRound(after: revision, wait: .seconds(50))
                } while round == nil
                backoff.reset()
            } catch {
                if case .refused = error { throw error }
                guard watch else { throw error }
                FileHandle.standardError.write(Data("\(error); trying again\n".utf8))
                var generator = SystemRandomNumberGenerator()
                try await Task.sleep(for: backoff.next(using: &generator))
            }
        }
    }

    private func draw(_ table: RoundTable) {
        let clear = watch && isatty(STDOUT_FILENO) == 1 ? "\u{1B}[H\u{1B}[2J" : ""
        let gap = watch && clear.isEmpty ? "\n" : ""
        FileHandle.standardOutput.write(Data("\(clear)\(table)\n\(gap)".utf8))
    }
}
