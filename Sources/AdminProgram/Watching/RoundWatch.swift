import RankwiseWire
import ServerCalls

/// Follows a federation's rounds by long polls, over restarts of its server.
struct RoundWatch: Sendable {
    /// What has changed: rounds in their order, the current one last.
    struct News: Sendable {
        let rounds: [Answer<RoundBody>]
        let federation: FederationBody
        /// Whether nothing changes any more.
        let isLast: Bool
    }

    private let api: AdminAPI
    private let federation: Name
    private var pollWait: PollWait
    private var last: RoundBody?
    /// A single look is tried once; later ones survive restarts of the server.
    private var persistence = Persistence(limit: .zero)
    private static let patience = Duration.seconds(86_400)

    init(_ api: AdminAPI, _ federation: Name, wait: Duration) {
        self.api = api
        self.federation = federation
        pollWait = PollWait(wait)
    }

    /// Waits for the next change.
    ///
    /// - Parameter onRetry: gets each failure that another try may mend.
    mutating func next(onRetry: (CallError) -> Void) async throws(AdminError) -> News {
        var generator = SystemRandomNumberGenerator()
        let news: News
        do throws(CallError) {
            news = try await persistence.answer(using: &generator, onRetry: { error, _ in onRetry(error) }) {
                (isRetry) async throws(CallError) in try await look(isRetry: isRetry)
            }
        } catch {
            throw api.failure(error)
        }
        persistence.limit = Self.patience
        last = news.rounds.last?.body ?? last
        return news
    }

    private mutating func look(isRetry: Bool) async throws(CallError) -> News {
        // After a failure the round is asked for at once: a server with an older copy would let the poll wait.
        var current = try await poll(after: isRetry ? nil : last?.revision)
        let state = try await api.state(of: federation)
        // Between both calls the federation may have ended, and its round with it.
        if state.state == "finished", !current.body.hasEnded {
            current = try await poll(after: nil)
        }
        let isLast = state.state == "finished" && current.body.phase != "aggregating"
        return News(rounds: try await missed(before: current.body) + [current], federation: state, isLast: isLast)
    }

    private mutating func poll(after revision: Int64?) async throws(CallError) -> Answer<RoundBody> {
        while true {
            do throws(CallError) {
                if let round = try await api.currentRound(federation, after: revision, wait: pollWait.duration) {
                    return round
                }
            } catch {
                guard revision != nil, pollWait.isTooLong(for: error) else { throw error }
                pollWait.shorten()
            }
        }
    }

    /// How the rounds ended that have ended since the last look.
    private func missed(before current: RoundBody) async throws(CallError) -> [Answer<RoundBody>] {
        guard let last else { return [] }
        let first = max(1, last.hasEnded ? last.round + 1 : last.round)
        guard first < current.round else { return [] }
        var rounds: [Answer<RoundBody>] = []
        for number in first..<current.round { rounds.append(try await api.endedRound(federation, number)) }
        return rounds
    }
}
