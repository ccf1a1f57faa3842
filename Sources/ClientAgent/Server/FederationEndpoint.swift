package import AdapterFormat
import Foundation
package import HTTPFetching
package import RankwiseWire

/// One federation on one server: each HTTP API call of clients and readers as a function.
package struct FederationEndpoint: Sendable {
    package let server: String
    package let federation: String
    let fetcher: any Fetching
    private let token: String?

    /// The longest answer that it reads; a round lists its updates.
    private static let answerLimit = 64 << 20
    /// The longest time for an answer that is no file, however slowly it arrives.
    private static let answerTime = Duration.seconds(1800)

    /// - Parameters:
    ///   - token: the bearer token of every call except registration.
    ///   - server: the address that the user gave, with a path if a proxy serves it under one.
    package init(server: String, federation: String, token: String?, fetcher: any Fetching) {
        self.server = String(server.reversed().drop { $0 == "/" }.reversed())
        self.federation = federation
        self.token = token
        self.fetcher = fetcher
    }

    /// Registers a client, or confirms its registration; uses this endpoint's token, the enrolment token.
    package func register(_ client: String, _ registration: RegistrationBody) async throws(CallError) {
        struct Registered: Decodable { let name: String }
        let request = request(
            .put, "clients/\(client)", body: .bytes(try encoded(registration)), type: "application/json")
        let response = try await call(request)
        let registered = try decoded(Registered.self, response, to: request)
        guard registered.name == client else {
            throw .foreign(ForeignAnswer(response, to: request, reason: "it is for \(registered.name)"))
        }
    }

    package func settings() async throws(CallError) -> FederationBody {
        let request = request(.get, "")
        let response = try await call(request)
        let body = try decoded(FederationBody.self, response, to: request)
        guard body.id == federation else {
            throw .foreign(ForeignAnswer(response, to: request, reason: "it is of federation \(body.id)"))
        }
        return body
    }

    /// The client's plan and its JSON, once its revision is above `revision`; nil if that does not happen within
    /// `wait`.
    package func plan(
        after revision: Int64?, wait: Duration
    ) async throws(CallError) -> (plan: PlanBody, json: [UInt8])? {
        let request = poll("plan", after: revision, wait: wait)
        let response = try await call(request)
        // Without a revision, "nothing new" makes no sense: this 204 does not come from the server.
        if response.status == 204, revision != nil { return nil }
        let plan = try decoded(PlanBody.self, response, to: request)
        if let reason = plan.unusable(in: federation) {
            throw .foreign(ForeignAnswer(response, to: request, reason: reason))
        }
        return (plan, response.body)
    }

    /// The current round, once its revision is above `revision`; nil if that does not happen within `wait`.
    package func currentRound(after revision: Int64?, wait: Duration) async throws(CallError) -> RoundBody? {
        let request = poll("rounds/current", after: revision, wait: wait)
        let response = try await call(request)
        if response.status == 204, revision != nil { return nil }
        return try decoded(RoundBody.self, response, to: request)
    }

    package func round(_ number: Int) async throws(CallError) -> RoundBody {
        try await read(RoundBody.self, request(.get, "rounds/\(number)"))
    }

    /// Tells the server that this client sends nothing in a round, and why.
    package func decline(round: Int, reason: String) async throws(CallError) {
        let body = try encoded(DeclineBody(reason: reason))
        try await perform(
            request(.put, "rounds/\(round)/decline", body: .bytes(body), type: "application/json"), isRecent: true)
    }

    /// Sends PEFT's configuration of the adapter that follows as an update.
    package func sendConfiguration(round: Int, text: [UInt8]) async throws(CallError) {
        try await perform(
            request(.put, "rounds/\(round)/update/adapter_config.json", body: .bytes(text), type: "application/json"),
            isRecent: true)
    }

    /// Tells the server that this client has ended, and why, so that no round waits for it.
    package func leave(reason: String) async throws(CallError) {
        let body = try encoded(DeclineBody(reason: reason))
        try await perform(request(.put, "leave", body: .bytes(body), type: "application/json"))
    }

    /// Downloads the adapter of `round` into a file; resumes a broken download.
    ///
    /// - Parameters:
    ///   - cut: how the adapter is cut for the receiver, as a query: `rank=4`.
    ///   - bits: asks for a quantised message.
    package func downloadAdapter(
        round: Int, cut: String, bits: MessageBits? = nil, to path: String, limit: Int64,
        progress: (@Sendable (FetchProgress) -> Void)? = nil
    ) async throws(CallError) {
        let quantised = bits.map { "&bits=\($0.rawValue)" } ?? ""
        try await downloadTensors("rounds/\(round)/adapter?\(cut)\(quantised)", to: path, limit: limit, progress)
    }

    /// Downloads the sum of the merges of the rounds (since, round] into a file.
    package func downloadMerge(
        round: Int, since: Int, to path: String, limit: Int64, progress: (@Sendable (FetchProgress) -> Void)? = nil
    ) async throws(CallError) {
        try await downloadTensors("rounds/\(round)/merge?since=\(since)", to: path, limit: limit, progress)
    }

    /// Downloads the result of all rounds up to `round` as one adapter, and its configuration.
    package func downloadModel(
        round: Int, to path: String, configuration: String, limit: Int64
    ) async throws(CallError) {
        try await downloadTensors("rounds/\(round)/model", to: path, limit: limit)
        try await downloadConfiguration("rounds/\(round)/model/adapter_config.json", to: configuration)
    }

    package func downloadConfiguration(round: Int, cut: String, to path: String) async throws(CallError) {
        try await downloadConfiguration("rounds/\(round)/adapter_config.json?\(cut)", to: path)
    }

    private func downloadConfiguration(_ source: String, to path: String) async throws(CallError) {
        var request = request(.get, source)
        request.destination = .file(path: path, limit: Int64(Self.answerLimit))
        let response = try await download(request)
        do {
            guard case .object = try WireJSON.decode(JSONValue.self, from: Data(contentsOf: URL(filePath: path))) else {
                throw WireError(path: "", reason: "it is no JSON object")
            }
        } catch {
            unlink(path)
            throw .foreign(ForeignAnswer(response, to: request, reason: "\(error)"))
        }
    }

    /// Downloads a file of tensors; a web page in its place is refused.
    private func downloadTensors(
        _ source: String, to path: String, limit: Int64, _ progress: (@Sendable (FetchProgress) -> Void)? = nil
    ) async throws(CallError) {
        var request = request(.get, source)
        request.patience.total = nil
        request.destination = .file(path: path, limit: limit)
        request.progress = progress
        let response = try await download(request)
        do throws(SafetensorsError) {
            _ = try SafetensorsFile(path: path)
        } catch {
            unlink(path)
            throw .foreign(ForeignAnswer(response, to: request, reason: "\(error)"))
        }
    }

    /// Downloads into the file that the request names; an answer without a body is refused.
    private func download(_ request: FetchRequest) async throws(CallError) -> FetchResponse {
        let response = try await call(request)
        guard response.savedBytes != nil else { throw .foreign(ForeignAnswer(response, to: request)) }
        return response
    }

    // MARK: Requests

    private var authorization: [HTTPField] {
        [HTTPField("User-Agent", "rankwise")] + (token.map { [HTTPField("Authorization", "Bearer \($0)")] } ?? [])
    }

    /// Makes every URL, always below the user's address and never from links in answers. So a path before `/v1` is kept
    /// and the token goes nowhere else.
    func request(
        _ method: FetchRequest.Method, _ path: String, body: FetchRequest.Body = .none, type: String? = nil
    ) -> FetchRequest {
        let base = "\(server)/v1/federations/\(federation)"
        var request = FetchRequest(
            method, path.isEmpty ? base : "\(base)/\(path)",
            fields: authorization + (type.map { [HTTPField("Content-Type", $0)] } ?? []), body: body,
            destination: .memory(limit: Self.answerLimit))
        switch body {
        case .none, .bytes: request.patience.total = Self.answerTime
        // A large update on a slow link gets all the time it needs.
        case .file, .rest: break
        }
        return request
    }

    private func poll(_ path: String, after revision: Int64?, wait: Duration) -> FetchRequest {
        guard let revision else { return request(.get, path) }
        let seconds = wait.components.seconds
        var request = request(.get, "\(path)?after=\(revision)&wait=\(seconds)")
        request.patience.stall += .seconds(seconds)
        return request
    }

    /// An answer of a Rankwise server: success, or its problem.
    enum Reply: Sendable {
        case success(FetchResponse)
        case problem(Problem, retryAfter: Duration?)
    }

    /// The server's answer, whatever its status; an answer from anything else is thrown as an error.
    ///
    /// - Parameter length: the body's length, where its size matters.
    func reply(to request: FetchRequest, sending length: Int64? = nil) async throws(CallError) -> Reply {
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

    func call(_ request: FetchRequest, sending length: Int64? = nil) async throws(CallError) -> FetchResponse {
        switch try await reply(to: request, sending: length) {
        case .success(let response): return response
        case .problem(let problem, let delay): throw CallError(problem, retryAfter: delay)
        }
    }

    /// Makes a call that the server answers with 204.
    ///
    /// - Parameter isRecent: whether older servers do not know this call; their answer then counts as a refusal.
    func perform(_ request: FetchRequest, isRecent: Bool = false) async throws(CallError) {
        switch try await reply(to: request) {
        case .success(let response):
            guard response.status == 204 else { throw .foreign(ForeignAnswer(response, to: request)) }
        case .problem(let problem, _) where isRecent && problem.isOfTheWay: throw .refused(problem)
        case .problem(let problem, let delay): throw CallError(problem, retryAfter: delay)
        }
    }

    func read<T: Decodable>(_ type: T.Type, _ request: FetchRequest) async throws(CallError) -> T {
        try decoded(type, try await call(request), to: request)
    }

    func decoded<T: Decodable>(
        _ type: T.Type, _ response: FetchResponse, to request: FetchRequest
    ) throws(CallError) -> T {
        do throws(WireError) {
            return try WireJSON.decode(type, bytes: response.body)
        } catch {
            throw .foreign(ForeignAnswer(response, to: request, reason: "\(error)"))
        }
    }

    private func encoded(_ value: some Encodable) throws(CallError) -> [UInt8] {
        do throws(WireError) {
            return try WireJSON.bytes(value)
        } catch {
            throw .unreached(.malformedRequest("\(error)"))
        }
    }
}
