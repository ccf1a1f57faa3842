import CoordinatorAPI
import Foundation
import HTTPFetching
import HTTPTypes
import RankwiseWire
import Testing

/// Every declared route called with every kind of token: what is found is what its declaration says, and docs/security.md.
@Suite struct RoleMatrixTests {
    private struct Answer: Hashable {
        let status: Int
        let body: String

        var code: String? {
            body.firstRange(of: #""code":""#).map { String(body[$0.upperBound...].prefix { $0 != "\"" }) }
        }

        /// As the table has it.
        var cell: String {
            switch status {
            case 401, 403: "\(status)"
            default: "✓"
            }
        }
    }

    private static let table = GeneratedTable(
        file: "docs/security.md", marks: ("<!-- roles: generated -->\n", "<!-- /roles -->\n"))

    @Test func `every route lets in whom its declaration says, and hides what is another's`() async throws {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let clock = HandMovedClock()
        let server = try await LiveServer(folder: folder, clock: clock)
        let population = try await Population(server, clock)
        for route in server.routes {
            for (role, cell) in try await cells(of: route, population, server) {
                #expect(cell == Self.cell(role, route), "\(role.rawValue) at \(route)")
            }
        }
        try await server.stop()
        var table = "| method and path | \(CallerRole.allCases.map(\.rawValue).joined(separator: " | ")) |\n"
        table += "|---|" + String(repeating: "---|", count: CallerRole.allCases.count) + "\n"
        for route in server.routes {
            let cells = CallerRole.allCases.map { Self.cell($0, route) }
            table += "| `\(route)` | \(cells.joined(separator: " | ")) |\n"
        }
        try Self.table.compare(table)
    }

    /// As the declaration says.
    private static func cell(_ role: CallerRole, _ route: RouteDeclaration) -> String {
        // Nobody is of another federation where the path names none.
        guard role != .foreign || route.pattern.contains("{federation}") else { return "–" }
        return route.refusal(of: role).map(String.init) ?? "✓"
    }

    private func cells(
        of route: RouteDeclaration, _ population: Population, _ server: LiveServer
    ) async throws -> [(CallerRole, String?)] {
        let subject = try await population.newClient()
        // Those come first that may do nothing, and the admin last: what it deletes, others could not be refused.
        let order: [CallerRole] = [
            .nobody, .void, .foreign, .revoked, .reader, .enrolment, .metrics, .otherClient, .client, .admin,
        ]
        var cells: [CallerRole: Set<String>] = [:]
        for caller in order {
            for token in population.tokens(of: caller, subject: subject) {
                let answer = try await call(route, server, token: token, client: subject.name)
                cells[caller, default: []].insert(answer.cell)
                expectPlain(answer, caller, route)
                guard caller != .client, caller != .admin, route.pattern.contains("{") else { continue }
                if answer.cell != "✓" || caller == .foreign {
                    // Whether what the path names is there or not.
                    let absent = try await call(route, server, token: token, client: "nobody-has-this")
                    #expect(absent == answer, "\(caller.rawValue) at \(route)")
                }
                if [.nobody, .void, .foreign, .revoked].contains(caller) {
                    let elsewhere = try await call(
                        route, server, token: token, federation: "nowhere", client: subject.name)
                    #expect(elsewhere == answer, "\(caller.rawValue) at \(route)")
                }
            }
        }
        if !route.pattern.contains("{federation}") {
            // Nobody is of another federation here.
            let ofThis = [CallerRole.reader, .enrolment, .client].reduce(into: Set()) { $0.formUnion(cells[$1] ?? []) }
            cells[.foreign] = cells[.foreign] == ofThis ? ["–"] : nil
        }
        return CallerRole.allCases.map { ($0, cells[$0]?.count == 1 ? cells[$0]?.first : nil) }
    }

    /// A refusal says what it is and no more, and nothing fails.
    private func expectPlain(_ answer: Answer, _ caller: CallerRole, _ route: RouteDeclaration) {
        let expected: [String]
        switch answer.status {
        case 401: expected = ["auth.token"]
        case 403: expected = caller == .revoked ? ["client.revoked"] : ["auth.role"]
        default:
            #expect(answer.status < 500 && answer.status != 429, "\(caller.rawValue) at \(route): \(answer)")
            return
        }
        guard route.method != .head else { return }
        #expect(expected.contains(answer.code ?? ""), "\(caller.rawValue) at \(route): \(answer)")
    }

    private func call(
        _ route: RouteDeclaration, _ server: LiveServer, token: String?, federation: String = "f", client: String
    ) async throws -> Answer {
        let path = route.pattern.replacingOccurrences(of: "{federation}", with: federation)
            .replacingOccurrences(of: "{client}", with: client).replacingOccurrences(of: "{round}", with: "0")
            .replacingOccurrences(of: "{id}", with: "none-such")
            .replacingOccurrences(of: "{file...}", with: "app.js")
            .replacingOccurrences(of: "{digest}", with: String(repeating: "0", count: 64))
        #expect(!path.contains("{"), "\(route) has a parameter that this test does not know")
        var head = "\(route.method) \(path) HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
        if let token { head += "Authorization: Bearer \(token)\r\n" }
        let text = try await RawExchange.answer(to: head + "\r\n", at: server.url)
        let status = try #require(text.split(separator: " ", maxSplits: 2).dropFirst().first.flatMap { Int($0) })
        let end = try #require(text.firstRange(of: "\r\n\r\n"))
        return Answer(status: status, body: String(text[end.upperBound...]))
    }

    @Test func `the list of federations has those alone that its caller may read`() async throws {
        struct List: Decodable { let federations: [FederationBody] }
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let clock = HandMovedClock()
        let server = try await LiveServer(folder: folder, clock: clock)
        let population = try await Population(server, clock)
        let subject = try await population.newClient()
        for (caller, expected) in [
            (CallerRole.reader, ["f"]), (.client, ["f"]), (.otherClient, ["f"]), (.admin, ["f", "g"]),
        ] {
            for token in population.tokens(of: caller, subject: subject) {
                let list = try await Caller(server, token: token).get(List.self, "/v1/federations")
                #expect(list.federations.map(\.id) == expected)
            }
        }
        for token in population.tokens(of: .foreign, subject: subject) {
            let answer = try await Caller(server, token: token).call(.get, "/v1/federations")
            #expect(!String(decoding: answer.body, as: UTF8.self).contains(#""id":"f""#))
        }
        try await server.stop()
    }

    /// Two federations with tokens of all kinds and states.
    private final class Population {
        struct Client {
            let name: String
            let token: String
        }

        private let admin: Caller
        private var tokens: [CallerRole: [String?]]
        private var clients = 0

        init(_ server: LiveServer, _ clock: HandMovedClock) async throws {
            admin = try Caller(server, token: LiveServer.admin)
            tokens = [.nobody: [nil], .admin: [LiveServer.admin], .metrics: [LiveServer.metrics]]
            let own = try await Self.create("f", admin)
            let foreign = try await Self.create("g", admin)
            tokens[.reader] = [own.readerToken]
            tokens[.enrolment] = [own.enrolmentToken]
            let expiring = try await [
                issue(#"{"role": "reader", "expires_at": "2027-01-15T08:00:01Z"}"#),
                issue(#"{"role": "enrolment", "expires_at": "2027-01-15T08:00:01Z"}"#),
            ]
            clock.advance(seconds: 1)
            let withdrawn = try await [issue(#"{"role": "reader"}"#), issue(#"{"role": "enrolment", "uses": 1}"#)]
            for token in withdrawn { #expect(try await delete("/tokens/\(token.id)") == 204) }
            tokens[.void] = ["unknown-to-all"] + (expiring + withdrawn).map(\.token)
            tokens[.otherClient] = [try await newClient().token]
            tokens[.foreign] = [
                foreign.readerToken, foreign.enrolmentToken, try await newClient(in: "g").token,
            ]
            let revoked = try await newClient()
            #expect(try await delete("/clients/\(revoked.name)") == 204)
            tokens[.revoked] = [revoked.token]
        }

        func tokens(of caller: CallerRole, subject: Client) -> [String?] {
            caller == .client ? [subject.token] : tokens[caller] ?? []
        }

        func newClient(in federation: String = "f") async throws -> Client {
            clients += 1
            let client = Client(
                name: "c\(clients)", token: String(repeating: "5", count: 60) + String(1000 + clients))
            let answer = try await admin.call(
                .put, "/v1/federations/\(federation)/clients/\(client.name)",
                body: #"{"rank": 2, "token": "\#(client.token)"}"#)
            #expect(answer.status == 201)
            return client
        }

        private static func create(
            _ id: String, _ admin: Caller
        ) async throws -> CreatedFederationBody {
            let settings = """
                {"id": "\(id)", "base_model": {"name": "m"}, "round": {"total": 2, "min_updates": 1},
                 "adapter": {"max_rank": 4, "modules": {"fc1": {"in": 2, "out": 3}}}}
                """
            let created = try await admin.call(.post, "/v1/federations", body: settings)
            return try WireJSON.decode(CreatedFederationBody.self, from: Data(created.body))
        }

        private func issue(_ body: String) async throws -> TokenBody {
            let answer = try await admin.call(.post, "/v1/federations/f/tokens", body: body)
            return try WireJSON.decode(TokenBody.self, from: Data(answer.body))
        }

        private func delete(_ path: String) async throws -> Int {
            try await admin.call(.delete, "/v1/federations/f" + path).status
        }
    }
}
