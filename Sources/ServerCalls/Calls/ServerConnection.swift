import FoundationEssentials
package import HTTPFetching
package import RankwiseWire

/// Calls below one address of a server, each under the same token; only answers of Rankwise are accepted.
package struct ServerConnection: Sendable {
    /// The address that the user gave, with a path if a proxy serves it under one.
    package let server: String
    package let fetcher: any Fetching
    private let token: String?

    /// The longest answer that it reads; a round lists its updates.
    package static let answerLimit = 64 << 20
    /// The longest time for an answer that is no file, however slowly it arrives.
    private static let answerTime = Duration.seconds(1800)

    package init(server: String, token: String?, fetcher: any Fetching) {
        self.server = String(server.reversed().drop { $0 == "/" }.reversed())
        self.token = token
        self.fetcher = fetcher
    }

    private var authorization: [HTTPField] {
        [HTTPField("User-Agent", "rankwise")] + (token.map { [HTTPField("Authorization", "Bearer \($0)")] } ?? [])
    }

    /// Makes every URL, always below the user's address and never from links in answers. So a path before `/v1` is kept
    /// and the token goes nowhere else.
    ///
    /// - Parameter path: what follows the address, from `/` on.
    package func request(
        _ method: FetchRequest.Method, _ path: String, body: FetchRequest.Body = .none, type: String? = nil
    ) -> FetchRequest {
        var request = FetchRequest(
            method, server + path,
            fields: authorization + (type.map { [HTTPField("Content-Type", $0)] } ?? []), body: body,
            destination: .memory(limit: Self.answerLimit))
        switch body {
        case .none, .bytes: request.patience.total = Self.answerTime
        // A large file on a slow link gets all the time it needs.
        case .file, .rest: break
        }
        return request
    }

    /// A request for a revision after `revision`; the server answers 204 if there is none within `wait`.
    package func poll(_ path: String, after revision: Int64?, wait: Duration) -> FetchRequest {
        guard let revision else { return request(.get, path) }
        let seconds = wait.components.seconds
        var request = request(.get, "\(path)?after=\(revision)&wait=\(seconds)")
        request.patience.stall += .seconds(seconds)
        return request
    }

    /// An answer of a Rankwise server: success, or its problem.
    package enum Reply: Sendable {
        case success(FetchResponse)
        case problem(Problem, retryAfter: Duration?)
    }

    /// The server's answer, whatever its status; an answer from anything else is thrown as an error.
    ///
    /// - Parameter length: the body's length, where its size matters.
    package func reply(to request: FetchRequest, sending length: Int64? = nil) async throws(CallError) -> Reply {
        let response: FetchResponse
        do throws(FetchError) {
            response = try await fetcher.fetch(request)
        } catch {
            throw .unreached(error)
        }
        if (200...299).contains(response.status) { return .success(response) }
        guard let problem = response.problem(to: request.method) else {
            throw .foreign(ForeignAnswer(response, to: request, sending: length))
        }
        return .problem(problem, retryAfter: response.retryAfter)
    }

    /// The server's answer if it is a success.
    package func call(_ request: FetchRequest, sending length: Int64? = nil) async throws(CallError) -> FetchResponse {
        switch try await reply(to: request, sending: length) {
        case .success(let response): return response
        case .problem(let problem, let delay): throw CallError(problem, retryAfter: delay)
        }
    }

    /// Makes a call that the server answers with 204.
    ///
    /// - Parameter isRecent: whether older servers do not know this call; their answer then counts as a refusal.
    package func perform(_ request: FetchRequest, isRecent: Bool = false) async throws(CallError) {
        switch try await reply(to: request) {
        case .success(let response):
            guard response.status == 204 else { throw .foreign(ForeignAnswer(response, to: request)) }
        case .problem(let problem, _) where isRecent && problem.isOfTheWay: throw .refused(problem)
        case .problem(let problem, let delay): throw CallError(problem, retryAfter: delay)
        }
    }

    /// Downloads into the file that the request names; an answer without a body is refused.
    package func download(_ request: FetchRequest) async throws(CallError) -> FetchResponse {
        let response = try await call(request)
        guard response.savedBytes != nil else { throw .foreign(ForeignAnswer(response, to: request)) }
        return response
    }

    /// The value in the server's answer.
    package func read<T: Decodable>(_ type: T.Type, _ request: FetchRequest) async throws(CallError) -> T {
        try decoded(type, try await call(request), to: request)
    }

    /// The value in an answer; an answer of another form does not come from Rankwise.
    package func decoded<T: Decodable>(
        _ type: T.Type, _ response: FetchResponse, to request: FetchRequest
    ) throws(CallError) -> T {
        do throws(WireError) {
            return try WireJSON.decode(type, bytes: response.body)
        } catch {
            throw .foreign(ForeignAnswer(response, to: request, reason: "\(error)"))
        }
    }

    /// A request's body.
    package func encoded(_ value: some Encodable) throws(CallError) -> [UInt8] {
        do throws(WireError) {
            return try WireJSON.bytes(value)
        } catch {
            throw .unreached(.malformedRequest("\(error)"))
        }
    }
}
