import Dashboard
import Foundation
import HTTPFetching
import Testing

@testable import RankwiseWire

/// The dashboard's files: how they are served, that they are those of the folder, and that they fit the server.
@Suite struct DashboardTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Sources/Dashboard/Files")
    /// Made by `Charts`, so that they are in no folder.
    private static let drawn: Set<String> = ["charts.js", "charts.css"]

    private func withServer(_ body: (LiveServer, Caller) async throws -> Void) async throws {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let server = try await LiveServer(folder: folder)
        try await body(server, try Caller(server, token: nil))
        try await server.stop()
    }

    @Test func `every file of the folder is in the program as it is`() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
        #expect(Set(names).union(Self.drawn) == Set(DashboardFile.all.keys))
        for name in names {
            let bytes = try Data(contentsOf: Self.folder.appendingPathComponent(name))
            #expect(DashboardFile.all[name].map { Data($0.bytes) } == bytes, "\(name)")
        }
    }

    @Test func `every file is served to anybody, once, under a strict policy`() async throws {
        try await withServer { _, caller in
            for (path, file) in DashboardFile.all.map({ ("/ui/" + $0, $1) }) + [("/ui/", DashboardFile.page)] {
                let answer = try await caller.call(.get, path)
                #expect(answer.status == 200 && answer.body == file.bytes, "\(path)")
                #expect(answer.field("Content-Type") == file.mediaType)
                #expect(
                    answer.field("Content-Security-Policy") == """
                        default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                        base-uri 'none'; form-action 'none'; frame-ancestors 'none'
                        """)
                #expect(answer.field("X-Content-Type-Options") == "nosniff")
                #expect(answer.field("Referrer-Policy") == "no-referrer")
                let tag = try #require(answer.field("ETag"))
                let again = try await caller.call(.get, path, fields: [HTTPField("If-None-Match", tag)])
                #expect(again.status == 304 && again.body.isEmpty)
            }
        }
    }

    @Test func `the short address leads to the page, and others are refused`() async throws {
        try await withServer { server, caller in
            let text = try await RawExchange.answer(
                to: "GET /ui HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", at: server.url)
            #expect(text.hasPrefix("HTTP/1.1 308") && text.lowercased().contains("location: /ui/\r\n"))
            for path in ["/ui/nothing.js", "/ui/app.js/more", "/ui/%2e%2e"] {
                #expect(try await caller.call(.get, path).status == 404, "\(path)")
            }
            #expect(try await caller.refusal(.get, "/ui/?token=secret") == "400 request.argument")
            #expect(try await caller.call(.post, "/ui/").status == 405)
        }
    }

    @Test func `the page asks for nothing but its own files`() throws {
        let name = #/(?:from|href=|src=|fetch\()\s*"(?:\./)?([a-z]+\.[a-z]+)"/#
        var known: Set = ["index.html"]
        for (_, file) in DashboardFile.all {
            let text = String(decoding: file.bytes, as: UTF8.self).replacing("http://www.w3.org/", with: "")
            #expect(!text.contains("//cdn") && !text.contains("http://") && !text.contains("https://"), "\(file.name)")
            // The policy refuses both.
            #expect(!text.contains("innerHTML") && !text.contains("eval("), "\(file.name)")
            for match in text.matches(of: name) {
                #expect(DashboardFile.all[String(match.1)] != nil, "\(file.name) names \(match.1)")
                known.insert(String(match.1))
            }
        }
        #expect(known == Set(DashboardFile.all.keys))
        let page = String(decoding: DashboardFile.page.bytes, as: UTF8.self)
        #expect(!page.contains("style=") && !page.contains("<style") && !page.contains("onclick"))
        #expect(page.components(separatedBy: "<script").count == 2)
    }

    @Test func `every template is one that the server takes`() async throws {
        struct Template: Decodable {
            let name: String
            let settings: JSONValue
        }
        let file = try #require(DashboardFile.all["templates.json"])
        let templates = try WireJSON.decode([Template].self, from: Data(file.bytes))
        #expect(templates.count >= 4)
        try await withServer { server, _ in
            let admin = try Caller(server, token: LiveServer.admin)
            for template in templates {
                let body = String(decoding: try WireJSON.encode(template.settings), as: UTF8.self)
                let answer = try await admin.call(.post, "/v1/federations", body: body)
                #expect(answer.status == 201, "\(template.name): \(String(decoding: answer.body, as: UTF8.self))")
            }
        }
    }

    @Test func `the form explains every setting, with the default that the server has`() throws {
        struct Field: Decodable {
            let key: String
            let about: String
            let `default`: JSONValue?
        }
        struct Group: Decodable { let fields: [Field] }
        let file = try #require(DashboardFile.all["settings.json"])
        let fields = try WireJSON.decode([Group].self, from: Data(file.bytes)).flatMap(\.fields)
        #expect(fields.allSatisfy { $0.about.utf8.count > 20 })
        let explained = Dictionary(uniqueKeysWithValues: fields.map { ($0.key, $0.default) })

        var keys: [String] = FederationDocument.CodingKeys.allCases.map(\.rawValue)
        func replace(_ key: String, by parts: some Sequence<String>) {
            keys.removeAll { $0 == key }
            keys += parts.map { "\(key).\($0)" }
        }
        replace("base_model", by: FederationDocument.BaseModel.CodingKeys.allCases.map(\.rawValue))
        replace("adapter", by: FederationDocument.Adapter.CodingKeys.allCases.map(\.rawValue))
        replace("adapter.scaling", by: FederationDocument.Scaling.CodingKeys.allCases.map(\.rawValue))
        replace("strategy", by: ["name", "weighting", "sum", "parameters"])
        replace("server", by: FederationDocument.Server.CodingKeys.allCases.map(\.rawValue))
        replace("round", by: FederationDocument.Round.CodingKeys.allCases.map(\.rawValue))
        replace("round.selection", by: FederationDocument.Selection.CodingKeys.allCases.map(\.rawValue))
        replace("limits", by: FederationDocument.Limits.CodingKeys.allCases.map(\.rawValue))
        replace("retention", by: FederationDocument.Retention.CodingKeys.allCases.map(\.rawValue))
        #expect(Set(keys) == Set(explained.keys))

        let plain = FederationDocument(id: "f", baseModel: .init(name: "m"), adapter: .init(modules: [:]))
        let document = try WireJSON.decode(JSONValue.self, from: try WireJSON.encode(plain))
        for key in keys where !key.hasPrefix("adapter.") && key != "strategy.parameters" {
            guard let shown = explained[key] ?? nil else { continue }
            #expect(document.value(at: key)?.number ?? document.value(at: key) == shown.number ?? shown, "\(key)")
        }
    }
}

extension FetchResponse {
    fileprivate func field(_ name: String) -> String? {
        fields.first { $0.name.lowercased() == name.lowercased() }?.value
    }
}

extension JSONValue {
    fileprivate func value(at path: String) -> JSONValue? {
        path.split(separator: ".").reduce(self) { value, name in
            guard case .object(let members) = value else { return nil }
            return members[String(name)]
        }
    }

    /// The same value where it is a number, whether it was written with a fraction or not.
    fileprivate var number: JSONValue? {
        switch self {
        case .integer(let value): .number(Double(value))
        case .number: self
        default: nil
        }
    }
}
