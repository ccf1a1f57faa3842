import Coordinator
import Federation
import Foundation
import HTTPServing
import HTTPTypes
import RankwiseWire

extension RankwiseAPI {
    /// The limit on a registration's body, in bytes.
    private static let registrationLimit = 64 << 10
    /// The limit on capabilities, in bytes. The server keeps those of every client in memory.
    private static let capabilitiesLimit = 2 << 10

    /// Routes of registration and the list of clients.
    func addClientRoutes(to routes: inout Routes) {
        let services = services
        let one = "/v1/federations/{federation}/clients/{client}"
        routes.on(
            .put, one, for: .registrant,
            contract: RouteContract(
                body: .json(RegistrationBody.schema),
                answers: [
                    .json(ClientBody.schema, "It was registered", status: 201),
                    .json(ClientBody.schema, "It was registered already"),
                ], problems: [.document, .registration, .store]),
            "Registers a client, or changes its rank and capabilities"
        ) { request, registrant in
            let bytes = try await request.body.collect(upTo: Self.registrationLimit)
            let body = try WireJSON.decodeStrictly(RegistrationBody.self, from: Data(bytes))
            let capabilities = try WireJSON.encode(body.capabilities)
            guard capabilities.count <= Self.capabilitiesLimit else {
                throw WireError(
                    path: "capabilities",
                    reason: "takes \(capabilities.count.counted("byte")); expected at most \(Self.capabilitiesLimit)")
            }
            let (enrolled, isNew) = try await services.enrolment.register(
                registrant.name, rank: body.rank, token: body.token,
                capabilities: String(decoding: capabilities, as: UTF8.self), enrolment: registrant.enrolment,
                in: registrant.federation)
            return try .json(ClientBody(enrolled), status: isNew ? .created : .ok)
        }
        routes.on(
            .get, "/v1/federations/{federation}/clients", for: .federationAdmin,
            query: [
                .init("after", .name, "only clients whose names come later"),
                .init("limit", .integer, "1 to 1000 clients; all where absent", in: 1...1000),
                .init(
                    "outline", .flag,
                    "without ranks of modules and capabilities, but with the answers in the open round"),
            ],
            contract: RouteContract(answers: [
                .json(.page("clients", of: .either(ClientBody.schema, ClientOutlineBody.schema)), "The clients")
            ]),
            "The clients, in the order of their names"
        ) { request, admin in
            let (clients, hasMore, round) = try services.enrolment.list(
                in: admin.federation, after: try request.name("after"),
                limit: try request.integer("limit", in: 1...1000))
            let next = hasMore ? clients.last?.client.name.rawValue : nil
            guard try request.flag("outline") else {
                return try .json(ClientsBody(try clients.map { try ClientBody($0) }, next: next))
            }
            return try .json(ClientsBody(clients.map { ClientOutlineBody($0, in: round) }, next: next))
        }
        routes.on(
            .get, one, for: .namedClient,
            contract: RouteContract(answers: [.json(ClientBody.schema, "The client")], problems: [.client]),
            "One client"
        ) { _, client in
            try .json(ClientBody(try services.enrolment.client(client.name, in: client.federation)))
        }
        routes.on(
            .delete, one, for: .namedClient,
            contract: RouteContract(answers: [.none("It is revoked")], problems: [.client, .store]),
            "Revokes a client and its token"
        ) { _, client in
            try await services.enrolment.revoke(client.name, byItself: !client.isAdmin, in: client.federation)
            return Response(status: .noContent)
        }
    }
}

extension ClientOutlineBody {
    init(_ enrolled: EnrolmentService.Enrolled, in round: RoundMachine?) {
        let client = enrolled.client
        self.init(
            name: client.name.rawValue, rank: client.rank, registeredAt: client.registeredAt.timestamp,
            lastSeenAt: enrolled.lastSeen.timestamp, revoked: client.revokedAt != nil,
            answer: round?.participations[client.name]?.state.rawValue)
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
