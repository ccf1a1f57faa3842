import Coordinator
import HTTPServing
package import HTTPTypes

/// What is said of a route before it has a handler: who may call it, what its query takes, and what it does.
package struct RouteDeclaration: Sendable {
    package let method: HTTPRequest.Method
    /// A path such as `/v1/federations/{federation}`.
    package let pattern: String
    /// Whether the path has a round, which is read before the body's type and the query.
    let namesRound: Bool
    /// Who may call, in a few words.
    package let callers: String
    /// The roles that go on to the request itself.
    package let admitted: Set<CallerRole>
    package let query: DeclaredQuery
    /// The one `Content-Type` that the body may have, where the route asks for one.
    package let mediaType: String?
    /// One sentence, without its full stop.
    package let summary: String
    /// What a request is refused for before its caller is known.
    let early: EarlyCheck

    /// A fault that some routes answer ahead of a missing token. The order is part of the contract.
    enum EarlyCheck: Sendable {
        case nothing
        case query
        case digests
    }

    /// The status by which a caller of this role is refused; `nil` where the request goes on.
    package func refusal(of role: CallerRole) -> Int? {
        let role = role == .otherClient && !pattern.contains("{client}") ? .client : role
        if admitted.contains(role) { return nil }
        return role == .nobody || role == .void ? 401 : 403
    }

    /// Refuses what no handler of this route is to see; answers who calls.
    ///
    /// Not inlined: what it needs would else be held for as long as the handler waits.
    @inline(never)
    func admit<Caller>(_ request: Request, as callers: Callers<Caller>, by access: Access) throws -> Caller {
        switch early {
        case .nothing: break
        case .query: try query.refuseUnknown(in: request)
        case .digests: _ = try request.digestOfWhole()
        }
        let caller = try callers.admit(Visit(request: request, access: access, query: query))
        guard !query.isIgnored else { return caller }
        if namesRound { _ = try request.round() }
        if let mediaType {
            let found = request.headerFields[.contentType]?.prefix { $0 != ";" && $0 != " " }.lowercased()
            guard found == mediaType else { throw UnsupportedType(found: found ?? "absent", expected: mediaType) }
        }
        try query.refuseUnknown(in: request)
        return caller
    }
}

extension RouteDeclaration: CustomStringConvertible {
    package var description: String { "\(method) \(pattern)" }
}
