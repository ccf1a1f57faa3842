import HTTPFetching
import RankwiseWire

/// An answer that no Rankwise server gave: a proxy's page, a portal's, or that of whatever else listens at the address.
package struct ForeignAnswer: Sendable, Hashable {
    /// Without its query.
    package let url: String
    package let status: Int
    /// What gave it, as far as its `Server` field says.
    package let server: String?
    /// What else it says, or what is wrong with it.
    package let reason: String?
    /// How long it asks to be left alone.
    package let retryAfter: Duration?

    /// A stranger cannot send a client away for longer.
    private static let longestRest = Duration.seconds(300)

    /// - Parameters:
    ///   - length: of the body that was sent, where its size may be what the answer is about.
    ///   - reason: why an answer of the right status is none of ours.
    init(_ response: FetchResponse, to request: FetchRequest, sending length: Int64? = nil, reason: String? = nil) {
        url = String(request.url.prefix { $0 != "?" })
        status = response.status
        server = response.fields["Server"]
        self.reason = reason ?? Self.reason(response, sending: length)
        retryAfter = response.retryAfter.map { min($0, Self.longestRest) }
    }

    private static func reason(_ response: FetchResponse, sending length: Int64?) -> String? {
        if response.status == 413 {
            let size = length.map { "\(ByteCount($0)) are" } ?? "this is"
            return "\(size) more than it lets through in one request; whoever runs it can allow more "
                + "(nginx: client_max_body_size)"
        }
        return response.fields["Location"].map { "it points to \($0)" }
    }

    /// Whether a proxy only grew tired of waiting for the server's answer.
    package var isTimeOut: Bool { status == 504 || status == 524 }
}

extension ForeignAnswer: CustomStringConvertible {
    package var description: String {
        let author = server.map { " (\($0))" } ?? ""
        let reason = reason.map { ": \($0)" } ?? ""
        return "something at \(url) that is not Rankwise\(author) answered \(status)\(reason)".printable
    }
}

extension FetchResponse {
    /// The problem that it carries, where a Rankwise server gave it: every error of ours is one.
    func problem(to method: FetchRequest.Method) -> Problem? {
        let type = fields["Content-Type"]?.prefix { $0 != ";" && $0 != " " }.lowercased()
        guard type == "application/problem+json", status >= 400 else { return nil }
        // To a HEAD nobody says why.
        if method == .head {
            return Problem(
                title: "HTTP \(status)", status: status, code: "http.\(status)", detail: "the server answered \(status)"
            )
        }
        guard let problem = try? WireJSON.decode(Problem.self, bytes: body), problem.status == status else {
            return nil
        }
        return problem
    }

    /// A day at most, which is longer than any server means. The date form is rare enough to fall back on the back-off.
    var retryAfter: Duration? {
        fields["Retry-After"].flatMap { Int64($0) }.flatMap { $0 < 0 ? nil : .seconds(min($0, 86_400)) }
    }
}
