import CoordinatorAPI
import Foundation
import HTTPFetching
import HTTPTypes
import RankwiseWire
import Testing

/// What routes declare, held against what the server does and what docs/api.md says.
@Suite struct ContractTests {
    private static let table = GeneratedTable(
        file: "docs/api.md", marks: ("<!-- routes: generated -->\n", "<!-- /routes -->\n"))

    @Test func `docs api has every route with its callers, its query and its sentence`() async throws {
        try await withServer { server, _ in
            var table = "| method and path | who may call | query | what it does |\n|---|---|---|---|\n"
            for route in server.routes {
                #expect(!route.summary.isEmpty && !route.summary.hasSuffix("."), "\(route)")
                let query = route.query.parameters.map { "`\($0.name)` (\($0.kind.rawValue)): \($0.meaning)" }
                let type = route.mediaType.map { ", as `\($0)`" } ?? ""
                let names = route.query.isIgnored ? "not read" : query.isEmpty ? "–" : query.joined(separator: "<br>")
                table += "| `\(route)` | \(route.callers) | \(names) | \(route.summary)\(type) |\n"
            }
            try Self.table.compare(table)
        }
    }

    @Test func `every route takes the names that it declares, and no others`() async throws {
        try await withServer { server, tokens in
            for route in server.routes {
                let unknown = try await call(route, "?no_such=1", token(for: route, tokens), server)
                if route.query.isIgnored {
                    #expect(unknown.status < 300, "\(route)")
                } else {
                    #expect(unknown.status == 400, "\(route): \(unknown)")
                    #expect(unknown.body.isEmpty || unknown.body.contains("'no_such' is not known here"), "\(route)")
                }
                for parameter in route.query.parameters {
                    // A value that nobody takes: the route is to read no further than it.
                    let answer = try await call(route, "?\(parameter.name)=%20", token(for: route, tokens), server)
                    #expect(!answer.body.contains("is not known here"), "\(route) and \(parameter.name)")
                }
            }
        }
    }

    @Test func `of two faults the same one is answered as ever`() async throws {
        try await withServer { server, tokens in
            let client = tokens.client
            let update = "/v1/federations/f/rounds/1/update"
            let upload = update + "/upload"
            let cases: [(String, String?, String, Int)] = [
                // Token, role, query.
                ("GET /v1/federations/f/rounds?no_such=1", nil, "", 401),
                ("GET /v1/federations/f/events?no_such=1", client, "", 403),
                ("GET /v1/federations/f/events?no_such=1", LiveServer.admin, "", 400),
                // The path's names come first.
                ("GET /v1/federations/F!/rounds", nil, "", 400),
                ("PUT /v1/federations/f/clients/C!", nil, "", 401),
                ("PUT /v1/federations/f/clients/C!", tokens.reader, "", 400),
                ("GET /v1/federations/f/clients/C!", tokens.reader, "", 400),
                // Routes with an order of their own.
                ("GET /v1/federations/f/clients/other?no_such=1", client, "", 400),
                ("HEAD \(upload)?no_such=1", nil, "", 400),
                ("DELETE \(upload)?no_such=1", nil, "", 400),
                ("PATCH \(upload)?no_such=1", nil, "Content-Type: text/plain\r\n", 401),
                ("PATCH \(upload)?no_such=1", client, "Content-Type: text/plain\r\n", 415),
                ("PATCH /v1/federations/f/rounds/x/update/upload", client, "Content-Type: text/plain\r\n", 400),
                ("PUT \(update)?samples=1", nil, "Content-Digest: sha-256=:AAAA:\r\n", 400),
                ("PUT \(update)?no_such=1", client, "Content-Type: text/plain\r\n", 400),
                ("PUT \(update)?samples=1", client, "Content-Type: text/plain\r\n", 415),
                ("OPTIONS \(upload)?no_such=1", "nobody's", "", 204),
                ("OPTIONS /v1/federations/F!/rounds/x/update/upload", nil, "", 204),
                ("GET /v1/server?no_such=1", nil, "", 200),
            ]
            for (line, token, fields, status) in cases {
                let answer = try await send(line, fields, token: token, server)
                #expect(answer.status == status, "\(line): \(answer)")
            }
        }
    }

    private struct Tokens {
        let reader: String
        let enrolment: String
        let client: String
    }

    private func token(for route: RouteDeclaration, _ tokens: Tokens) -> String? {
        if route.refusal(of: .nobody) == nil { return nil }
        return route.refusal(of: .admin) == nil ? LiveServer.admin : tokens.client
    }

    private func call(
        _ route: RouteDeclaration, _ query: String, _ token: String?, _ server: LiveServer
    ) async throws -> (status: Int, body: String) {
        var path = route.pattern
        for (name, value) in [
            "federation": "f", "client": "c", "round": "1", "id": "none-such",
            "digest": String(repeating: "0", count: 64), "file...": "app.js",
        ] {
            path = path.replacingOccurrences(of: "{\(name)}", with: value)
        }
        let type = route.mediaType.map { "Content-Type: \($0)\r\nUpload-Offset: 0\r\nUpload-Complete: ?1\r\n" } ?? ""
        return try await send("\(route.method) \(path)\(query)", type, token: token, server)
    }

    private func send(
        _ line: String, _ fields: String, token: String?, _ server: LiveServer
    ) async throws -> (status: Int, body: String) {
        var head = "\(line) HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\(fields)"
        if let token { head += "Authorization: Bearer \(token)\r\n" }
        let text = try await RawExchange.answer(to: head + "\r\n", at: server.url)
        let status = try #require(text.split(separator: " ", maxSplits: 2).dropFirst().first.flatMap { Int($0) })
        let end = try #require(text.firstRange(of: "\r\n\r\n"))
        return (status, String(text[end.upperBound...]))
    }

    private func withServer(_ body: (LiveServer, Tokens) async throws -> Void) async throws {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let server = try await LiveServer(folder: folder)
        let admin = try Caller(server, token: LiveServer.admin)
        let settings = """
            {"id": "f", "base_model": {"name": "m"}, "round": {"total": 2, "min_updates": 1},
             "adapter": {"max_rank": 4, "modules": {"fc1": {"in": 2, "out": 3}}}}
            """
        let created = try await admin.call(.post, "/v1/federations", body: settings)
        let own = try WireJSON.decode(CreatedFederationBody.self, from: Data(created.body))
        let client = String(repeating: "5", count: 64)
        let registered = try await admin.call(
            .put, "/v1/federations/f/clients/c", body: #"{"rank": 2, "token": "\#(client)"}"#)
        #expect(registered.status == 201)
        try await body(server, Tokens(reader: own.readerToken, enrolment: own.enrolmentToken, client: client))
        try await server.stop()
    }
}
