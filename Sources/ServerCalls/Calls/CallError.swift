package import HTTPFetching
package import RankwiseWire

/// Why a call to the server brought no result.
package enum CallError: Error, Sendable, Hashable {
    case unreached(FetchError)
    /// Something between client and server answered in the server's place.
    case foreign(ForeignAnswer)
    /// The server cannot serve this now: 408, 425, 429, any 5xx, an invalid answer, or a request that something on the
    /// way has changed.
    case unavailable(Problem, retryAfter: Duration?)
    /// Any other problem from the server; another try will not help.
    case refused(Problem)
}

extension CallError {
    /// Whether the same call may succeed later.
    package var isWorthRetrying: Bool {
        switch self {
        case .unreached(let error): error.isWorthRetrying
        case .foreign, .unavailable: true
        case .refused: false
        }
    }

    /// How long the client was asked to wait.
    package var retryAfter: Duration? {
        switch self {
        case .foreign(let answer): answer.retryAfter
        case .unavailable(_, let delay): delay
        case .unreached, .refused: nil
        }
    }

    /// Classifies a problem from the server.
    package init(_ problem: Problem, retryAfter: Duration?) {
        switch problem.status {
        case 408, 425, 429, 500...: self = .unavailable(problem, retryAfter: retryAfter)
        case _ where problem.isOfTheWay: self = .unavailable(problem, retryAfter: retryAfter)
        default: self = .refused(problem)
        }
    }
}

extension Problem {
    /// One printable line, because it comes from the network and goes to a terminal.
    package var summary: String {
        let words = detail.isEmpty ? title : detail
        let beginning = String(String.UnicodeScalarView(words.unicodeScalars.prefix(300)))
        return "\(beginning) (\(status) \(code))".printable
    }

    /// Whether the problem is about a path, a method or a head that no Rankwise client sends. A proxy has then changed
    /// the request or routes it elsewhere. It is no verdict on this client.
    package var isOfTheWay: Bool {
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
