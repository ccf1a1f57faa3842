package import AdapterFormat
package import HTTPFetching
package import RankwiseWire

/// One federation on one server: each call of the HTTP API that clients and readers make, as a function.
package struct FederationEndpoint: Sendable {
    package let server: String
    package let federation: String
    let fetcher: any Fetching
    private let token: String?

    /// The longest answer that is read: a round lists every update.
    private static let answerLimit = 64 << 20

    /// - Parameter token: goes with every call but registration, as a bearer token.
    package init(server: String, federation: String, token: String?, fetcher: any Fetching) {
        self.server = server
        self.federation = federation
        self.token = token
        self.fetcher = fetcher
    }

    /// Registers a client, or confirms that it is; carries this endpoint's token, the enrolment one.
    package func register(_ client: String, _ registration: RegistrationBody) async throws(CallError) {
        _ = try await call(
            request(.put, "clients/\(client)", body: .bytes(try encoded(registration)), type: "application/json"))
    }

    package func settings() async throws(CallError) -> FederationBody {
        try await read(FederationBody.self, request(.get, ""))
    }

    /// The client's plan with the JSON it came as, once its revision passes `revision`; nil if it did not within
    /// `wait`.
    package func plan(
        after revision: Int64?, wait: Duration
    ) async throws(CallError) -> (plan: PlanBody, json: [UInt8])? {
        let response = try await call(poll("plan", after: revision, wait: wait))
        return response.status == 204 ? nil : (try decoded(PlanBody.self, response), response.body)
    }

    /// The current round, once its revision passes `revision`; nil if it did not within `wait`.
    package func currentRound(after revision: Int64?, wait: Duration) async throws(CallError) -> RoundBody? {
        let response = try await call(poll("rounds/current", after: revision, wait: wait))
        return response.status == 204 ? nil : try decoded(RoundBody.self, response)
    }

    package func round(_ number: Int) async throws(CallError) -> RoundBody {
        try await read(RoundBody.self, request(.get, "rounds/\(number)"))
    }

    /// Says that this client will send nothing in a round, and why.
    package func decline(round: Int, reason: String) async throws(CallError) {
        let body = try encoded(DeclineBody(reason: reason))
        _ = try await call(
            request(.put, "rounds/\(round)/decline", body: .bytes(body), type: "application/json"))
    }

    /// Sends what PEFT says of the adapter that follows as an update.
    package func sendConfiguration(round: Int, text: [UInt8]) async throws(CallError) {
        _ = try await call(
            request(.put, "rounds/\(round)/update/adapter_config.json", body: .bytes(text), type: "application/json"))
    }

    /// Says that this client has ended, and why: no round is to wait for it.
    package func leave(reason: String) async throws(CallError) {
        let body = try encoded(DeclineBody(reason: reason))
        _ = try await call(request(.put, "leave", body: .bytes(body), type: "application/json"))
    }

    /// The adapter that `round` published into a file; a broken download goes on where it stopped.
    ///
    /// - Parameters:
    ///   - cut: how the adapter is cut for whom it is for, as a query: `rank=4`.
    ///   - bits: asks for a quantised message.
    package func downloadAdapter(
        round: Int, cut: String, bits: MessageBits? = nil, to path: String, limit: Int64,
        progress: (@Sendable (FetchProgress) -> Void)? = nil
    ) async throws(CallError) {
        let quantised = bits.map { "&bits=\($0.rawValue)" } ?? ""
        var request = request(.get, "rounds/\(round)/adapter?\(cut)\(quantised)")
        request.destination = .file(path: path, limit: limit)
        request.progress = progress
        try Self.checkAdapter(path, try await call(request))
    }

    /// All that the rounds up to `round` have trained, as one adapter, and the configuration under which it applies.
    package func downloadModel(
        round: Int, to path: String, configuration: String, limit: Int64
    ) async throws(CallError) {
        var request = request(.get, "rounds/\(round)/model")
        request.destination = .file(path: path, limit: limit)
        try Self.checkAdapter(path, try await call(request))
        try await downloadConfiguration("rounds/\(round)/model/adapter_config.json", to: configuration)
    }

    package func downloadConfiguration(round: Int, cut: String, to path: String) async throws(CallError) {
        try await downloadConfiguration("rounds/\(round)/adapter_config.json?\(cut)", to: path)
    }

    private func downloadConfiguration(_ source: String, to path: String) async throws(CallError) {
        var request = request(.get, source)
        request.destination = .file(path: path, limit: Int64(Self.answerLimit))
        _ = try await call(request)
    }

    /// What a plan names by a path on its server.
    package func download(
        href: String, to path: String, limit: Int64, progress: (@Sendable (FetchProgress) -> Void)? = nil
    ) async throws(CallError) {
        // A path alone: the token must not follow a link to another host.
        guard href.hasPrefix("/"), !href.hasPrefix("//"), let origin else {
            throw .refused(
                Problem(
                    title: "Bad link", status: 200, code: "http.link", detail: "\(href) is not a path on the server"))
        }
        var request = FetchRequest(.get, origin + href, fields: authorization)
        request.destination = .file(path: path, limit: limit)
        request.progress = progress
        try Self.checkAdapter(path, try await call(request))
    }

    // MARK: Requests

    private var authorization: [HTTPField] {
        [HTTPField("User-Agent", "rankwise")] + (token.map { [HTTPField("Authorization", "Bearer \($0)")] } ?? [])
    }

    /// Scheme and authority of the server's URL, which may have a path before `/v1`.
    private var origin: String? {
        guard let scheme = server.firstRange(of: "://") else { return nil }
        return String(server[..<scheme.upperBound] + server[scheme.upperBound...].prefix { $0 != "/" })
    }

    func request(
        _ method: FetchRequest.Method, _ path: String, body: FetchRequest.Body = .none, type: String? = nil
    ) -> FetchRequest {
        let base = "\(server)/v1/federations/\(federation)"
        return FetchRequest(
            method, path.isEmpty ? base : "\(base)/\(path)",
            fields: authorization + (type.map { [HTTPField("Content-Type", $0)] } ?? []), body: body,
            destination: .memory(limit: Self.answerLimit))
    }

    private func poll(_ path: String, after revision: Int64?, wait: Duration) -> FetchRequest {
        guard let revision else { return request(.get, path) }
        let seconds = wait.components.seconds
        var request = request(.get, "\(path)?after=\(revision)&wait=\(seconds)")
        request.patience.stall += .seconds(seconds)
        return request
    }

    func call(_ request: FetchRequest) async throws(CallError) -> FetchResponse {
        let response = try await answer(request)
        guard (200...299).contains(response.status) else { throw CallError(response) }
        return response
    }

    /// The answer, whatever its status.
    func answer(_ request: FetchRequest) async throws(CallError) -> FetchResponse {
        do throws(FetchError) {
            return try await fetcher.fetch(request)
        } catch {
            throw .unreached(error)
        }
    }

    /// A page that a public network's portal sent in place of a file must not get as far as the trainer.
    private static func checkAdapter(_ path: String, _ response: FetchResponse) throws(CallError) {
        do throws(SafetensorsError) {
            _ = try SafetensorsFile(path: path)
        } catch {
            throw .unreadable(response, "\(error)")
        }
    }

    func read<T: Decodable>(_ type: T.Type, _ request: FetchRequest) async throws(CallError) -> T {
        try decoded(type, try await call(request))
    }

    func decoded<T: Decodable>(_ type: T.Type, _ response: FetchResponse) throws(CallError) -> T {
        do throws(WireError) {
            return try WireJSON.decode(type, bytes: response.body)
        } catch {
            throw .unreadable(response, "\(error)")
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
