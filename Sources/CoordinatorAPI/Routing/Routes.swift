import Coordinator
import HTTPServing
import HTTPTypes

/// Collects routes, each with its declaration, and wraps each so that its errors become problems.
struct Routes {
    let api: RankwiseAPI
    private(set) var router = Router()
    private(set) var declared: [RouteDeclaration] = []

    init(api: RankwiseAPI) { self.api = api }

    /// Adds a route: its handler sees only requests that the declaration lets through, and the caller that it asks for.
    ///
    /// The order of refusals: what is refused `early`, the path's names, the token, the role, the body's type, the query.
    mutating func on<Caller>(
        _ method: HTTPRequest.Method, _ pattern: String, for callers: Callers<Caller>, query: DeclaredQuery = [],
        takes mediaType: String? = nil, early: RouteDeclaration.EarlyCheck = .nothing, _ summary: String,
        handler: @escaping @Sendable (Request, Caller) async throws -> Response
    ) {
        let declaration = RouteDeclaration(
            method: method, pattern: pattern, namesRound: pattern.contains("{round}"), callers: callers.words,
            admitted: callers.admitted, query: query, mediaType: mediaType, summary: summary, early: early)
        declared.append(declaration)
        let (api, access) = (api, api.services.access)
        let admitted: Handler = { request in
            try await handler(request, try declaration.admit(request, as: callers, by: access))
        }
        router.on(method, pattern) { request in try await api.answer(request, with: admitted) }
    }
}
