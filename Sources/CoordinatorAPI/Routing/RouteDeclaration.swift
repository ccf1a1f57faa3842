import Coordinator
import HTTPServing
package import HTTPTypes

/// The declaration of a route: who may call it, its query parameters, and its effect.
package struct RouteDeclaration: Sendable {
    package let method: HTTPRequest.Method
    /// A path such as `/v1/federations/{federation}`.
    package let pattern: String
    /// Whether the path contains a round, which is parsed before the body's type and the query are checked.
    let namesRound: Bool
    /// The permitted callers, in a few words.
    package let callers: String
    /// The roles that may call.
    package let admitted: Set<CallerRole>
    package let query: DeclaredQuery
    /// The only permitted `Content-Type` of the body; nil where the route requires none.
    package let mediaType: String?
    /// What it takes and answers.
    package let contract: RouteContract
    /// One sentence without a full stop.
    package let summary: String
    /// The check that precedes the caller's identification.
    let early: EarlyCheck

    /// A fault that some routes report before a missing token. This order is part of the contract.
    enum EarlyCheck: Sendable {
        case nothing
        case query
        case digests
    }

    /// The status of the refusal for a caller of this role; nil where it may call.
    package func refusal(of role: CallerRole) -> Int? {
        let role = role == .otherClient && !pattern.contains("{client}") ? .client : role
        if admitted.contains(role) { return nil }
        return role == .nobody || role == .void ? 401 : 403
    }

    /// Refuses requests that the declaration does not permit; returns the caller.
    ///
    /// Not inlined, because its stack space would otherwise be held while the handler waits.
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
