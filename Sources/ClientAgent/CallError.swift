package import HTTPFetching
package import RankwiseWire

/// Why a call to the server brought no result.
package enum CallError: Error, Sendable, Hashable {
    case unreached(FetchError)
    /// What stands between this client and its server answered in its place.
    case foreign(ForeignAnswer)
    /// The server cannot serve this now: 408, 425, 429, any 5xx, or an answer that it cannot have meant.
    case unavailable(Problem, retryAfter: Duration?)
    /// Any other problem of the server's: asking again will not help.
    case refused(Problem)
}

extension CallError {
    /// Whether the same call may well succeed later.
    package var isWorthRetrying: Bool {
        switch self {
        case .unreached(let error): error.isWorthRetrying
        case .foreign, .unavailable: true
        case .refused: false
        }
    }

    /// How long this client was asked to leave the server alone.
    var retryAfter: Duration? {
        switch self {
        case .foreign(let answer): answer.retryAfter
        case .unavailable(_, let delay): delay
        case .unreached, .refused: nil
        }
    }

    /// What a problem of the server's means.
    init(_ problem: Problem, retryAfter: Duration?) {
        switch problem.status {
        case 408, 425, 429, 500...: self = .unavailable(problem, retryAfter: retryAfter)
        default: self = .refused(problem)
        }
    }
}

extension CallError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreached(let error): "\(error)".printable
        case .foreign(let answer): "\(answer)"
        case .unavailable(let problem, _), .refused(let problem): problem.summary
        }
    }
}
