import CoordinatorAPI
import Foundation
import HTTPFetching
import HTTPTypes
import RankwiseWire
import Testing

/// `GET /openapi.json`, held against the routes, the sources and real answers.
@Suite struct OpenAPITests {
    private struct Document {
        let json: [String: JSONValue]

        init(_ answer: FetchResponse) throws {
            #expect(answer.status == 200)
            json = try WireJSON.decode([String: JSONValue].self, from: Data(answer.body))
        }

        subscript(path: String...) -> JSONValue? {
            path.reduce(JSONValue.object(json)) { value, key in
                if case .object(let members)? = value { members[key] } else { nil }
            }
        }

        func members(_ path: String...) -> [String: JSONValue] {
            let found = path.reduce(JSONValue.object(json) as JSONValue?) { value, key in
                if case .object(let members)? = value { members[key] } else { nil }
            }
            if case .object(let members)? = found { return members }
            return [:]
        }

        /// The schema of an operation's answer; nil where it has none.
        func schema(_ route: RouteDeclaration, _ status: Int, type: String = "application/json") -> JSONValue? {
            self[
                "paths", route.contractPath, route.method.rawValue.lowercased(), "responses", "\(status)", "content",
                type,
                "schema"]
        }
    }

    private func withServer(_ body: (LiveServer, Caller) async throws -> Void) async throws {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let server = try await LiveServer(folder: folder)
        try await body(server, try Caller(server, token: nil))
        try await server.stop()
    }

    private static func references(in value: JSONValue) -> [String] {
        switch value {
        case .object(let members):
            members.flatMap { $0.key == "$ref" ? [$0.value.string ?? ""] : references(in: $0.value) }
        case .array(let values): values.flatMap(references)
        default: []
        }
    }

    @Test func `every route is an operation with its callers, answers and problems`() async throws {
        try await withServer { server, stranger in
            let document = try Document(try await stranger.call(.get, "/openapi.json"))
            #expect(document.json["openapi"]?.string == "3.1.0")
            var names: Set<String> = []
            for route in server.routes {
                #expect(!route.contract.answers.isEmpty, "\(route) does not say what it answers")
                let operation = document.members("paths", route.contractPath, route.method.rawValue.lowercased())
                let isNew = names.insert(operation["operationId"]?.string ?? "").inserted
                #expect(isNew, "\(route)")
                guard case .array(let roles)? = operation["x-roles"],
                    case .object(let responses)? = operation["responses"]
                else {
                    Issue.record("\(route) is not in the contract")
                    continue
                }
                #expect(Set(roles.compactMap(\.string)) == Set(route.admitted.map(\.rawValue)), "\(route)")
                let statuses = Set(route.contract.answers.map(\.status) + route.problems.flatMap(\.statuses))
                #expect(Set(responses.keys) == Set(statuses.map(String.init)), "\(route)")
            }
            #expect(document.members("paths").count == Set(server.routes.map(\.contractPath)).count)
            for reference in Self.references(in: .object(document.json)) {
                let path = reference.split(separator: "/").dropFirst().map(String.init)
                #expect(path.count == 3 && document.members(path[0], path[1])[path[2]] != nil, "\(reference)")
            }
        }
    }

    @Test func `every code in the sources is a code of the contract, and each belongs to some route`() async throws {
        let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Sources")
        var found: Set<String> = []
        for target in ["Coordinator", "CoordinatorAPI"] {
            let folder = sources.appendingPathComponent(target)
            let files = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
            for case let file as URL in files where file.pathExtension == "swift" {
                let text = try String(contentsOf: file, encoding: .utf8)
                for match in text.matches(of: /"((update|template|settings|config)\.[a-z_]+)"/) {
                    found.insert(String(match.1))
                }
            }
        }
        // Names of audit events and of settings look alike.
        let others: Set = [
            "update.accepted", "update.refused", "template.taken", "template.configured", "settings.adapter",
        ]
        #expect(found.contains("update.shape"))
        for code in found.subtracting(others) { #expect(ProblemCode(text: code) != nil, "\(code)") }
        try await withServer { server, _ in
            let used = Set(server.routes.flatMap(\.problems))
            #expect(Set(ProblemCode.allCases).subtracting(used) == [.methodNotAllowed])
        }
    }

    @Test func `real answers fit their schemas`() async throws {
        let federation = try await TrainedFederation(strategy: #"{"name": "rbla"}"#, ranks: ["a": 4, "b": 2])
        _ = try await federation.train()
        let open = try await TrainedFederation(strategy: #"{"name": "rbla"}"#, ranks: ["a": 4, "b": 2])
        let plan = try await open.plan(of: "a")
        let sent = try await open.send(try await open.update(of: "a", plan), of: "a", plan)
        let receipt = try await open.client("a").call(.get, TrainedFederation.path + "/rounds/1/update")
        try await open.stop()
        let document = try Document(try await federation.admin.call(.get, "/openapi.json"))
        let check = SchemaCheck(components: document.members("components", "schemas"))
        var checked: Set<String> = []

        func compare(_ answer: FetchResponse, _ pattern: String, _ method: HTTPRequest.Method = .get) throws {
            let route = try #require(
                federation.server.routes.first { $0.pattern == pattern && $0.method == method }, "\(pattern)")
            let schema = try #require(document.schema(route, answer.status), "\(route): \(answer.status)")
            let value = try WireJSON.decode(JSONValue.self, from: Data(answer.body))
            #expect(check.faults(value, schema) == [], "\(route)")
            checked.insert(pattern)
        }

        let base = "/v1/federations/{federation}"
        try compare(sent, base + "/rounds/{round}/update", .put)
        try compare(receipt, base + "/rounds/{round}/update")
        let admin = try federation.admin
        for (pattern, path) in [
            ("/v1/server", "/v1/server"), ("/healthz", "/healthz"), ("/readyz", "/readyz"),
            ("/v1/federations", "/v1/federations"), (base, ""), (base + "/events", "/events?limit=1000"),
            (base + "/clients", "/clients"), (base + "/clients", "/clients?outline=true&limit=1"),
            ("/v1/federations", "/v1/federations?outline=true&limit=1"), ("/v1/caller", "/v1/caller"),
            (base + "/curves", "/curves"), (base + "/rounds/{round}/coverage", "/rounds/1/coverage"),
            (base + "/clients/{client}/rounds", "/clients/a/rounds"), (base + "/clients/{client}", "/clients/a"),
            (base + "/tokens", "/tokens"),
            (base + "/rounds", "/rounds"), (base + "/rounds/current", "/rounds/current"),
            (base + "/rounds/{round}", "/rounds/2"), (base + "/rounds/{round}/updates", "/rounds/2/updates?limit=1"),
            (base + "/adapter_config.json", "/adapter_config.json"),
        ] {
            let whole = pattern.hasPrefix(base) ? TrainedFederation.path + path : path
            try compare(try await admin.call(.get, whole), pattern)
        }
        try compare(try await federation.client("a").call(.get, TrainedFederation.path + "/plan"), base + "/plan")
        let token = try await admin.call(.post, TrainedFederation.path + "/tokens", body: #"{"role": "reader"}"#)
        try compare(token, base + "/tokens", .post)
        let fork = try await admin.call(.post, TrainedFederation.path + "/fork", body: #"{"id": "next", "round": 1}"#)
        try compare(fork, base + "/fork", .post)
        try compare(try await admin.call(.get, "/v1/federations"), "/v1/federations")
        try compare(
            try await admin.call(.patch, TrainedFederation.path, body: #"{"retention": {"adapters": {"last": 2}}}"#),
            base, .patch)
        try compare(try await admin.call(.delete, "/v1/federations/next"), base, .delete)
        #expect(checked.count == 21)
        try await federation.stop()
    }

    @Test func `the page for people runs nothing and loads only its style`() async throws {
        try await withServer { server, stranger in
            let page = try await stranger.call(.get, "/openapi")
            let text = String(decoding: page.body, as: UTF8.self)
            let fields = Dictionary(page.fields.map { ($0.name.lowercased(), $0.value) }) { first, _ in first }
            #expect(fields["content-security-policy"]?.hasPrefix("default-src 'none'; style-src 'self';") == true)
            #expect(fields["content-type"] == "text/html; charset=utf-8")
            #expect(!text.contains("<script") && !text.contains("http://") && !text.contains("https://"))
            #expect(!text.contains(" style=") && text.contains(#"<link rel="stylesheet" href="/openapi.css">"#))
            #expect(try await stranger.call(.get, "/openapi.css").status == 200)
            for route in server.routes {
                #expect(text.contains("<code>\("\(route)".replacing("&", with: "&amp;"))</code>"), "\(route)")
            }
            for code in ProblemCode.allCases { #expect(text.contains("<tr id=\"\(code.rawValue)\">")) }
        }
    }

    @Test func `the first page leads a browser to the dashboard and tells curl where to go`() async throws {
        try await withServer { _, stranger in
            let browser = try await stranger.call(.get, "/", fields: [.init("Accept", "text/html,*/*;q=0.8")])
            #expect(browser.status == 303)
            #expect(browser.fields.first { $0.name.lowercased() == "location" }?.value == "/ui/")
            let curl = try await stranger.call(.get, "/", fields: [.init("Accept", "*/*")])
            let lines = String(decoding: curl.body, as: UTF8.self).split(separator: "\n")
            #expect(curl.status == 200 && lines.count == 5 && lines[0].hasPrefix("Rankwise test "))
        }
    }
}
