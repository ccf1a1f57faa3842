import Foundation
import HTTPFetching
import RankwiseWire
import ServerCalls

/// The calls of a server's HTTP API that an operator makes.
struct AdminAPI: Sendable {
    private let connection: ServerConnection
    private let hasToken: Bool

    init(address: ServerAddress, token: String?, fetcher: any Fetching) {
        connection = ServerConnection(server: address.description, token: token, fetcher: fetcher)
        hasToken = token != nil
    }

    static let root = "/v1/federations"
    static func path(_ federation: Name) -> String { "\(root)/\(federation)" }

    // MARK: Federations

    func create(_ settings: FederationDocument) async throws(AdminError) -> Answer<CreatedFederationBody> {
        try await send(.post, Self.root, settings)
    }

    func fork(_ federation: Name, _ body: ForkBody) async throws(AdminError) -> Answer<CreatedFederationBody> {
        try await send(.post, Self.path(federation) + "/fork", body)
    }

    func list() async throws(AdminError) -> Answer<FederationList> { try await get(Self.root) }

    func federation(_ federation: Name) async throws(AdminError) -> Answer<FederationBody> {
        try await get(Self.path(federation))
    }

    func change(_ federation: Name, _ patch: FederationPatch) async throws(AdminError) -> Answer<FederationBody> {
        try await send(.patch, Self.path(federation), patch)
    }

    func delete(_ federation: Name, releasing: Bool) async throws(AdminError) -> Answer<DepartedFederationBody> {
        try await read(connection.request(.delete, Self.path(federation) + (releasing ? "?release=true" : "")))
    }

    func events(
        _ federation: Name, after id: Int64, limit: Int
    ) async throws(AdminError) -> Answer<EventList> {
        try await get(Self.path(federation) + "/events?after=\(id)&limit=\(limit)")
    }

    // MARK: Rounds

    func round(_ federation: Name, _ round: String) async throws(AdminError) -> Answer<RoundBody> {
        try await get(Self.path(federation) + "/rounds/\(round)")
    }

    func rounds(_ federation: Name, before: Int?, limit: Int) async throws(AdminError) -> Answer<RoundList> {
        try await get(Self.path(federation) + "/rounds?limit=\(limit)" + (before.map { "&before=\($0)" } ?? ""))
    }

    /// The current round once its revision is above `revision`; nil if that does not happen within `wait`.
    func currentRound(
        _ federation: Name, after revision: Int64?, wait: Duration
    ) async throws(CallError) -> Answer<RoundBody>? {
        let request = connection.poll(Self.path(federation) + "/rounds/current", after: revision, wait: wait)
        let response = try await connection.call(request)
        if response.status == 204, revision != nil { return nil }
        return try answer(response, to: request)
    }

    /// A federation, for callers that try again by themselves.
    func state(of federation: Name) async throws(CallError) -> FederationBody {
        try await connection.read(FederationBody.self, connection.request(.get, Self.path(federation)))
    }

    /// A round, for callers that try again by themselves.
    func endedRound(_ federation: Name, _ number: Int) async throws(CallError) -> Answer<RoundBody> {
        let request = connection.request(.get, Self.path(federation) + "/rounds/\(number)")
        return try answer(try await connection.call(request), to: request)
    }

    // MARK: Clients and tokens

    func clients(_ federation: Name) async throws(AdminError) -> Answer<ClientList> {
        try await get(Self.path(federation) + "/clients")
    }

    func client(_ federation: Name, _ client: Name) async throws(AdminError) -> Answer<ClientBody> {
        try await get(Self.path(federation) + "/clients/\(client)")
    }

    func revoke(_ federation: Name, _ client: Name) async throws(AdminError) {
        try await perform(connection.request(.delete, Self.path(federation) + "/clients/\(client)"))
    }

    func tokens(_ federation: Name) async throws(AdminError) -> Answer<TokenList> {
        try await get(Self.path(federation) + "/tokens")
    }

    func makeToken(_ federation: Name, _ body: TokenRequestBody) async throws(AdminError) -> Answer<TokenBody> {
        try await send(.post, Self.path(federation) + "/tokens", body)
    }

    func deleteToken(_ federation: Name, _ id: String) async throws(AdminError) {
        try await perform(connection.request(.delete, Self.path(federation) + "/tokens/\(id)"))
    }

    // MARK: Files

    /// Sends one part of a template from a file.
    func upload(
        _ federation: Name, _ part: String, from path: String, type: String
    ) async throws(AdminError) -> Answer<TemplateBody> {
        try await read(
            connection.request(.put, Self.path(federation) + "/" + part, body: .file(path: path), type: type))
    }

    /// Downloads into a file and returns the SHA-256 that the server names, in hexadecimal.
    func download(_ federation: Name, _ source: String, to path: String) async throws(AdminError) -> FetchResponse {
        var request = connection.request(.get, Self.path(federation) + "/" + source)
        request.patience.total = nil
        request.destination = .file(path: path, limit: Int64.max)
        return try await calling { [request] () async throws(CallError) in try await connection.download(request) }
    }

    // MARK: Requests

    private func get<Body: Decodable & Sendable>(_ path: String) async throws(AdminError) -> Answer<Body> {
        try await read(connection.request(.get, path))
    }

    private func send<Body: Decodable & Sendable>(
        _ method: FetchRequest.Method, _ path: String, _ body: some Encodable
    ) async throws(AdminError) -> Answer<Body> {
        let bytes = try OutputOptions.encoded(body)
        return try await read(connection.request(method, path, body: .bytes(bytes), type: "application/json"))
    }

    private func read<Body: Decodable & Sendable>(_ request: FetchRequest) async throws(AdminError) -> Answer<Body> {
        try await calling { () async throws(CallError) in
            try answer(try await connection.call(request), to: request)
        }
    }

    private func perform(_ request: FetchRequest) async throws(AdminError) {
        try await calling { () async throws(CallError) in try await connection.perform(request) }
    }

    private func answer<Body: Decodable & Sendable>(
        _ response: FetchResponse, to request: FetchRequest
    ) throws(CallError) -> Answer<Body> {
        Answer(body: try connection.decoded(Body.self, response, to: request), json: response.body)
    }

    /// Makes a call, and says what a user can do about a missing token or an address.
    private func calling<Value>(_ call: () async throws(CallError) -> Value) async throws(AdminError) -> Value {
        do throws(CallError) {
            return try await call()
        } catch {
            throw failure(error)
        }
    }

    /// The failure with what a user can do about it.
    func failure(_ error: CallError) -> AdminError {
        switch error {
        case .refused(let problem) where problem.status == 401 && !hasToken:
            .call(error, hint: "no token was given: set RANKWISE_ADMIN_TOKEN, or name a file by --token-file")
        case .refused(let problem) where problem.status == 401:
            .call(error, hint: "the token of RANKWISE_ADMIN_TOKEN or --token-file is not this server's")
        case .unreached(.unreachable), .unreached(.timedOut): .call(error, hint: "is a server at \(connection.server)?")
        case .unreached(.untrusted):
            .call(error, hint: "--ca-file names the certificates that \(connection.server) is signed by")
        default: .call(error)
        }
    }
}
