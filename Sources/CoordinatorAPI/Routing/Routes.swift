import Coordinator
import Federation
import HTTPServing
import HTTPTypes

/// Collects routes with their declarations, and turns the errors of each into problems.
struct Routes {
    let api: RankwiseAPI
    private(set) var router = Router()
    private(set) var declared: [RouteDeclaration] = []

    init(api: RankwiseAPI) { self.api = api }

    /// Adds a route. Its handler receives only permitted requests, with the declared type of caller.
    ///
    /// Refusals have this order: the `early` check, names in the path, the token, the role, the body's type, the query.
    mutating func on<Caller>(
        _ method: HTTPRequest.Method, _ pattern: String, for callers: Callers<Caller>, query: DeclaredQuery = [],
        takes mediaType: String? = nil, early: RouteDeclaration.EarlyCheck = .nothing,
        contract: RouteContract = .missing, _ summary: String,
        handler: @escaping @Sendable (Request, Caller) async throws -> Response
    ) {
        let declaration = RouteDeclaration(
            method: method, pattern: pattern, namesRound: pattern.contains("{round}"), callers: callers.words,
            admitted: callers.admitted, query: query, mediaType: mediaType, contract: contract, summary: summary,
            early: early)
        declared.append(declaration)
        let (api, access) = (api, api.services.access)
        let shared = api.services.shared
        let admitted: Handler = { request in
            if shared.isNeeded {
                let name = request.parameters["federation"].flatMap { FederationID(rawValue: $0) }
                try await shared.learn(bearer: request.bearer, federation: name)
            }
            return try await handler(request, try declaration.admit(request, as: callers, by: access))
        }
        router.on(method, pattern) { request in try await api.answer(request, with: admitted) }
    }
}
