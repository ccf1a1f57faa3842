import ArgumentParser
import ClientAgent
import Glibc
import HTTPFetching
import RankwiseWire
import ServerCalls
import SystemPackage

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
            let fetcher = try server.access.fetcher()
            let endpoint = FederationEndpoint(
                server: server.url, federation: server.federation, token: try server.access.token(), fetcher: fetcher)
            try await follow(endpoint)
        } catch let error as CallError {
            _ = try? FileDescriptor.standardError.writeAll("rankwise-client: \(error)\n".utf8)
            throw ExitStatus(error).code
        }
    }

    private func follow(_ endpoint: FederationEndpoint) async throws {
        // A single look is tried once; a watch survives restarts of its server.
        var persistence = Persistence(limit: .zero)
        var pollWait = PollWait(Agent.Configuration.defaultPollWait)
        var round: RoundBody?
        while true {
            let seen = round?.revision
            let (federation, latest) = try await answer(persistence) { (isRetry) async throws(CallError) in
                var latest: RoundBody?
                repeat {
                    do throws(CallError) {
                        latest = try await endpoint.currentRound(
                            after: isRetry ? nil : seen, wait: pollWait.duration)
                    } catch {
                        guard !isRetry, seen != nil, pollWait.isTooLong(for: error) else { throw error }
                        pollWait.shorten()
                    }
                } while latest == nil
                return (try await endpoint.settings(), latest)
            }
            round = latest
            if let latest { try draw(RoundTable(federation, latest)) }
            guard watch, federation.state != "finished" else { return }
            persistence.limit = .seconds(86_400)
        }
    }

    private func answer<Value>(
        _ persistence: Persistence, _ call: (Bool) async throws(CallError) -> Value
    ) async throws(CallError) -> Value {
        var generator = SystemRandomNumberGenerator()
        return try await persistence.answer(
            using: &generator,
            onRetry: { error, _ in
                _ = try? FileDescriptor.standardError.writeAll("\(error); trying again\n".utf8)
            }, call)
    }

    private func draw(_ table: RoundTable) throws {
        let clear = watch && isatty(STDOUT_FILENO) == 1 ? "\u{1B}[H\u{1B}[2J" : ""
        let gap = watch && clear.isEmpty ? "\n" : ""
        try FileDescriptor.standardOutput.writeAll("\(clear)\(table)\n\(gap)".utf8)
    }
}
