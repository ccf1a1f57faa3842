import Coordinator
import Federation
import Foundation
import HTTPServing
import HTTPTypes
import RankwiseWire

extension RankwiseAPI {
    /// No registration is longer.
    private static let registrationLimit = 64 << 10
    /// The server keeps every client's capabilities in memory.
    private static let capabilitiesLimit = 2 << 10

    /// Registration and the list of clients.
    func addClientRoutes(to routes: inout Routes) {
        let services = services
        let one = "/v1/federations/{federation}/clients/{client}"
        routes.on(.put, one) { request in
            let federation = try request.federation()
            let principal = try request.principal(services.access)
            let name = try request.client()
            // A client that is registered may change its own rank and capabilities.
            var enrolment: String?
            if principal != .client(federation, name) {
                enrolment = try principal.requireEnrolment(in: federation)
                if principal != .admin { try request.requireCertificate(of: name) }
            }
            try request.expect()
            let bytes = try await request.body.collect(upTo: Self.registrationLimit)
            let body = try WireJSON.decodeStrictly(RegistrationBody.self, from: Data(bytes))
            let capabilities = try WireJSON.encode(body.capabilities)
            guard capabilities.count <= Self.capabilitiesLimit else {
                throw WireError(
                    path: "capabilities",
                    reason: "takes \(capabilities.count.counted("byte")); expected at most \(Self.capabilitiesLimit)")
            }
            let (enrolled, isNew) = try await services.enrolment.register(
                name, rank: body.rank, token: body.token,
                capabilities: String(decoding: capabilities, as: UTF8.self), enrolment: enrolment,
                in: federation)
            return try .json(ClientBody(enrolled), status: isNew ? .created : .ok)
        }
        routes.on(.get, "/v1/federations/{federation}/clients") { request in
            let federation = try request.federation()
            try request.principal(services.access).requireAdmin()
            try request.expect()
            return try .json(["clients": try services.enrolment.list(in: federation).map { try ClientBody($0) }])
        }
        routes.on(.get, one) { request in
            let (federation, name, _) = try Self.own(request, services)
            return try .json(ClientBody(try services.enrolment.client(name, in: federation)))
        }
        routes.on(.delete, one) { request in
            let (federation, name, isAdmin) = try Self.own(request, services)
            try await services.enrolment.revoke(name, byItself: !isAdmin, in: federation)
            return Response(status: .noContent)
        }
    }

    /// The client that the path names, for the admin and for the client itself.
    private static func own(
        _ request: Request, _ services: Services
    ) throws -> (FederationID, ClientName, isAdmin: Bool) {
        let federation = try request.federation()
        let principal = try request.principal(services.access)
        let name = try request.client()
        try request.expect()
        guard principal == .admin || principal == .client(federation, name) else { throw ServiceError.forbidden }
        return (federation, name, principal == .admin)
    }
}

extension ClientBody {
    init(_ enrolled: EnrolmentService.Enrolled) throws(WireError) {
        let client = enrolled.client
        self.init(
            name: client.name.rawValue, rank: client.rank, ranks: enrolled.ranks,
            registeredAt: client.registeredAt.timestamp, lastSeenAt: enrolled.lastSeen.timestamp,
            revoked: client.revokedAt != nil,
            capabilities: try WireJSON.decode([String: JSONValue].self, from: Data(client.capabilities.text.utf8)))
    }
}
