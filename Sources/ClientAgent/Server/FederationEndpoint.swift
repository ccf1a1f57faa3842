package import AdapterFormat
import FoundationEssentials
import Glibc
package import HTTPFetching
package import RankwiseWire
package import ServerCalls

/// One federation on one server: each HTTP API call of clients and readers as a function.
package struct FederationEndpoint: Sendable {
    package let federation: String
    let connection: ServerConnection

    /// - Parameters:
    ///   - token: the bearer token of every call except registration.
    ///   - server: the address that the user gave, with a path if a proxy serves it under one.
    package init(server: String, federation: String, token: String?, fetcher: any Fetching) {
        connection = ServerConnection(server: server, token: token, fetcher: fetcher)
        self.federation = federation
    }

    package var server: String { connection.server }
    var fetcher: any Fetching { connection.fetcher }

    /// Registers a client, or confirms its registration; uses this endpoint's token, the enrolment token.
    package func register(_ client: String, _ registration: RegistrationBody) async throws(CallError) {
        struct Registered: Decodable { let name: String }
        let request = request(
            .put, "clients/\(client)", body: .bytes(try connection.encoded(registration)), type: "application/json")
        let response = try await connection.call(request)
        let registered = try connection.decoded(Registered.self, response, to: request)
        guard registered.name == client else {
            throw .foreign(ForeignAnswer(response, to: request, reason: "it is for \(registered.name)"))
        }
    }

    package func settings() async throws(CallError) -> FederationBody {
        let request = request(.get, "")
        let response = try await connection.call(request)
        let body = try connection.decoded(FederationBody.self, response, to: request)
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
        let response = try await connection.call(request)
        // Without a revision, "nothing new" makes no sense: this 204 does not come from the server.
        if response.status == 204, revision != nil { return nil }
        let plan = try connection.decoded(PlanBody.self, response, to: request)
        if let reason = plan.unusable(in: federation) {
            throw .foreign(ForeignAnswer(response, to: request, reason: reason))
        }
        return (plan, response.body)
    }

    /// The current round, once its revision is above `revision`; nil if that does not happen within `wait`.
    package func currentRound(after revision: Int64?, wait: Duration) async throws(CallError) -> RoundBody? {
        let request = poll("rounds/current", after: revision, wait: wait)
        let response = try await connection.call(request)
        if response.status == 204, revision != nil { return nil }
        return try connection.decoded(RoundBody.self, response, to: request)
    }

    package func round(_ number: Int) async throws(CallError) -> RoundBody {
        try await connection.read(RoundBody.self, request(.get, "rounds/\(number)"))
    }

    /// Tells the server that this client sends nothing in a round, and why.
    package func decline(round: Int, reason: String) async throws(CallError) {
        let body = try connection.encoded(DeclineBody(reason: reason))
        try await connection.perform(
            request(.put, "rounds/\(round)/decline", body: .bytes(body), type: "application/json"), isRecent: true)
    }

    /// Tells the server what this client found when it scored a round's adapter.
    package func evaluate(round: Int, _ found: EvaluationBody) async throws(CallError) {
        let body = try connection.encoded(found)
        _ = try await connection.read(
            EvaluationReceiptBody.self,
            request(.put, "rounds/\(round)/evaluation", body: .bytes(body), type: "application/json"))
    }

    /// Sends PEFT's configuration of the adapter that follows as an update.
    package func sendConfiguration(round: Int, text: [UInt8]) async throws(CallError) {
        try await connection.perform(
            request(.put, "rounds/\(round)/update/adapter_config.json", body: .bytes(text), type: "application/json"),
            isRecent: true)
    }

    /// Tells the server that this client has ended, and why, so that no round waits for it.
    package func leave(reason: String) async throws(CallError) {
        let body = try connection.encoded(DeclineBody(reason: reason))
        try await connection.perform(request(.put, "leave", body: .bytes(body), type: "application/json"))
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
        request.destination = .file(path: path, limit: Int64(ServerConnection.answerLimit))
        let response = try await connection.download(request)
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
        let response = try await connection.download(request)
        do throws(SafetensorsError) {
            _ = try SafetensorsFile(path: path)
        } catch {
            unlink(path)
            throw .foreign(ForeignAnswer(response, to: request, reason: "\(error)"))
        }
    }

    // MARK: Requests

    func request(
        _ method: FetchRequest.Method, _ path: String, body: FetchRequest.Body = .none, type: String? = nil
    ) -> FetchRequest {
        connection.request(method, path.isEmpty ? base : "\(base)/\(path)", body: body, type: type)
    }

    private var base: String { "/v1/federations/\(federation)" }

    private func poll(_ path: String, after revision: Int64?, wait: Duration) -> FetchRequest {
        connection.poll("\(base)/\(path)", after: revision, wait: wait)
    }
}
