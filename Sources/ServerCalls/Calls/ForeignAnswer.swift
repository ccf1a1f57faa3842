package import HTTPFetching
package import RankwiseWire

/// An answer that does not come from a Rankwise server, but from a proxy, a captive portal or another program at the
/// address.
package struct ForeignAnswer: Sendable, Hashable {
    /// The URL without its query.
    package let url: String
    package let status: Int
    /// The sender, according to its `Server` field.
    package let server: String?
    /// Its text, or the reason why it is invalid.
    package let reason: String?
    /// How long it asks the client to wait.
    package let retryAfter: Duration?

    /// The longest wait that such an answer may cause.
    private static let longestRest = Duration.seconds(300)

    /// - Parameters:
    ///   - length: the length of the sent body, where the answer may be about its size.
    ///   - reason: why an answer with the right status does not come from a Rankwise server.
    package init(
        _ response: FetchResponse, to request: FetchRequest, sending length: Int64? = nil, reason: String? = nil
    ) {
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

    /// Whether a proxy stopped waiting for the server's answer.
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
    /// The problem in the answer, if a Rankwise server sent it; every error of ours is a problem.
    package func problem(to method: FetchRequest.Method) -> Problem? {
        let type = fields["Content-Type"]?.prefix { $0 != ";" && $0 != " " }.lowercased()
        guard type == "application/problem+json", status >= 400 else { return nil }
        // An answer to HEAD has no body with a reason.
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

    /// At most a day, which is longer than any server means. For the rare date form the client uses its own back-off.
    package var retryAfter: Duration? {
        fields["Retry-After"].flatMap { Int64($0) }.flatMap { $0 < 0 ? nil : .seconds(min($0, 86_400)) }
    }
}
