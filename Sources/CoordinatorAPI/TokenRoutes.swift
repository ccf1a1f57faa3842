import Coordinator
import Federation
import Foundation
import HTTPServing
import HTTPTypes
import RankwiseWire

extension RankwiseAPI {
    /// The limit on a token request's body, in bytes.
    private static let tokenRequestLimit = 4 << 10

    /// Routes of a federation's reader and enrolment tokens.
    func addTokenRoutes(to routes: inout Routes) {
        let services = services
        let path = "/v1/federations/{federation}/tokens"
        routes.on(
            .post, path, for: .federationAdmin,
            contract: RouteContract(
                body: .json(TokenRequestBody.schema),
                answers: [.json(TokenBody.schema, "The token, this once", status: 201)],
                problems: [.document, .settings, .tokens, .store]),
            "Issues a token that reads, or registers clients or regions; shows it this once"
        ) { request, admin in
            let bytes = try await request.body.collect(upTo: Self.tokenRequestLimit)
            let body = try WireJSON.decodeStrictly(TokenRequestBody.self, from: Data(bytes))
            let issued = try await services.tokens.issue(
                try Self.role(body.role), expiresAt: try body.expiresAt.map { try Self.instant($0) }, uses: body.uses,
                in: admin.federation)
            var response = try Response.json(TokenBody(issued.record, token: issued.token), status: .created)
            response.headerFields[.location] = "/v1/federations/\(admin.federation)/tokens/\(issued.record.id)"
            return response
        }
        routes.on(
            .get, path, for: .federationAdmin,
            contract: RouteContract(answers: [.json(.listing("tokens", of: TokenBody.schema), "The tokens")]),
            "The reader and enrolment tokens, without their texts"
        ) { _, admin in
            return try .json(["tokens": try services.tokens.list(in: admin.federation).map { TokenBody($0) }])
        }
        routes.on(
            .delete, path + "/{id}", for: .federationAdmin,
            contract: RouteContract(answers: [.none("It is withdrawn")], problems: [.tokens, .store]),
            "Withdraws a token"
        ) { request, admin in
            try await services.tokens.withdraw(request.parameters["id"] ?? "", in: admin.federation)
            return Response(status: .noContent)
        }
    }

    private static func role(_ text: String) throws(WireError) -> IssuedToken.Role {
        guard let role = IssuedToken.Role(rawValue: text) else {
            let known = IssuedToken.Role.allCases.map(\.rawValue).joined(separator: " or ")
            throw WireError(path: "role", reason: "is '\(text.prefix(80))'; expected \(known)")
        }
        return role
    }

    private static func instant(_ text: String) throws(WireError) -> Timestamp {
        guard let instant = Timestamp(timestamp: text) else {
            throw WireError(
                path: "expires_at",
                reason: "is '\(text.prefix(80))'; expected a time as RFC 3339 has it, such as 2027-01-31T12:00:00Z")
        }
        return instant
    }
}

extension TokenBody {
    init(_ record: IssuedToken, token: String? = nil) {
        self.init(
            id: record.id, role: record.role.rawValue, createdAt: record.createdAt.timestamp,
            expiresAt: record.expiresAt?.timestamp, usesLeft: record.usesLeft, token: token)
    }
}
