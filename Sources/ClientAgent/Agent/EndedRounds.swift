package import RankwiseWire
package import ServerCalls

/// Delivers every round of a federation once, in order, when it ends, even if several end between two answers.
package struct EndedRounds: Sendable {
    private let endpoint: FederationEndpoint
    private var pollWait: PollWait
    private var number: Int
    private var current: RoundBody?
    private var isFinished = false

    package init(
        _ endpoint: FederationEndpoint, from first: Int = 1, pollWait: Duration = Agent.Configuration.defaultPollWait
    ) {
        self.endpoint = endpoint
        self.pollWait = PollWait(pollWait)
        number = first
    }

    /// The next round that is published or failed; nil once the federation is finished. After an error the caller may
    /// call again: no round is skipped or repeated.
    package mutating func next() async throws(CallError) -> RoundBody? {
        while true {
            if let current, number <= current.round {
                let round = number == current.round ? current : try await endpoint.round(number)
                if round.hasEnded {
                    number += 1
                    return round
                }
            }
            if isFinished { return nil }
            guard let news = try await news() else { continue }
            // Once the federation is known to be finished, the current round no longer changes.
            if try await endpoint.settings().state == "finished" {
                current = try await endpoint.currentRound(after: nil, wait: .zero) ?? news
                isFinished = true
            } else {
                current = news
            }
        }
    }

    /// The current round if it has changed; nil after a wait without news.
    private mutating func news() async throws(CallError) -> RoundBody? {
        do throws(CallError) {
            return try await endpoint.currentRound(after: current?.revision, wait: pollWait.duration)
        } catch {
            guard current != nil, pollWait.isTooLong(for: error) else { throw error }
            pollWait.shorten()
            return nil
        }
    }
}
