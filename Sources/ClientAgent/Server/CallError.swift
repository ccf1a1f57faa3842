package import HTTPFetching
package import RankwiseWire

/// Why a call to the server brought no result.
package enum CallError: Error, Sendable, Hashable {
    case unreached(FetchError)
    /// What stands between this client and its server answered in its place.
    case foreign(ForeignAnswer)
    /// The server cannot serve this now: 408, 425, 429, any 5xx, an answer that it cannot have meant, or a request that
    /// came to it as none of this client's.
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
        case _ where problem.isOfTheWay: self = .unavailable(problem, retryAfter: retryAfter)
        default: self = .refused(problem)
        }
    }
}

extension Problem {
    /// Whether it is about a path, a method or a head that no client of the server's sends: a proxy has changed them, or
    /// leads elsewhere. It says nothing of this client.
    var isOfTheWay: Bool {
        switch code {
        case "path.unknown", "method.not_allowed", "request.malformed", "request.length", "request.expectation",
            "request.header_too_large", "request.uri_too_long":
            true
        default: false
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
