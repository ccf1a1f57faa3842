package import HTTPFetching
package import RankwiseWire

/// Why a call to the server brought no result.
package enum CallError: Error, Sendable, Hashable {
    case unreached(FetchError)
    /// The server cannot serve this now: 408, 425, 429, any 5xx, or an answer that it cannot have meant.
    case unavailable(Problem, retryAfter: Duration?)
    /// Any other status: asking again will not help.
    case refused(Problem)
}

extension CallError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreached(let error): "\(error)"
        case .unavailable(let problem, _), .refused(let problem): problem.summary
        }
    }
}

extension CallError {
    /// Reads what a status other than the expected ones means.
    init(_ response: FetchResponse) {
        let status = response.status
        switch status {
        case 408, 425, 429, 500...599:
            let seconds = response.fields["Retry-After"].flatMap { Int64($0) }
            // A day is longer than any server means; the date form is rare enough to fall back on the back-off.
            let delay = seconds.flatMap { $0 < 0 ? nil : Duration.seconds(min($0, 86_400)) }
            self = .unavailable(Problem(response), retryAfter: delay)
        case 301, 308:
            self = .refused(Problem(response))
        // Portals of public networks redirect for a while.
        case 300...399:
            self = .unavailable(Problem(response), retryAfter: nil)
        case 400...499:
            self = .refused(Problem(response))
        default:
            self = .unavailable(Problem(response), retryAfter: nil)
        }
    }

    /// An answer with the right status and a body that makes no sense, as portals of public networks give it.
    static func unreadable(_ response: FetchResponse, _ reason: String) -> CallError {
        .unavailable(
            Problem(
                title: "Unreadable", status: response.status, code: "http.unreadable",
                detail: "this is not a Rankwise server's answer: \(reason)"),
            retryAfter: nil)
    }
}

extension Problem {
    /// The problem that the answer carries, or one that names its status.
    init(_ response: FetchResponse) {
        let location = response.fields["Location"].map { "; it points to \($0)" } ?? ""
        self =
            (try? WireJSON.decode(Problem.self, bytes: response.body))
            ?? Problem(
                title: "HTTP \(response.status)", status: response.status, code: "http.\(response.status)",
                detail: "the server answered \(response.status)\(location)")
        status = response.status
    }
}
