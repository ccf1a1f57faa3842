import CoordinatorAPI
import Foundation
import HTTPFetching
import MetricsExposition
import RankwiseWire
import Testing

/// `GET /metrics` of a live server.
@Suite struct MetricsTests {
    private static let table = GeneratedTable(
        file: "docs/operating.md", marks: ("<!-- metrics: generated -->\n", "<!-- /metrics -->\n"))

    /// One line of a scrape for each series, by its name and labels.
    private struct Scrape {
        let type: String
        let text: String
        private let values: [String: Double]

        init(_ answer: FetchResponse) throws {
            #expect(answer.status == 200)
            type = answer.fields.first { $0.name.lowercased() == "content-type" }?.value ?? ""
            text = String(decoding: answer.body, as: UTF8.self)
            values = Dictionary(
                uniqueKeysWithValues: try text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
                    let space = try #require(line.lastIndex(of: " "))
                    return (String(line[..<space]), try #require(Double(line[line.index(after: space)...])))
                })
        }

        /// Nil where the scrape has no such series.
        subscript(series: String) -> Double? { values[series] }

        /// The metrics' names.
        var names: Set<String> {
            Set(
                text.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }.map {
                    String($0.split(separator: " ")[2])
                })
        }
    }

    private func withServer(
        labelled: Int = 10, _ body: (LiveServer, _ admin: Caller) async throws -> Void
    ) async throws {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let server = try await LiveServer(folder: folder, labelledFederations: labelled)
        try await body(server, try Caller(server, token: LiveServer.admin))
        #expect(server.metrics.undeclared == [])
        try await server.stop()
    }

    private func create(_ id: String, _ admin: Caller) async throws {
        let settings = """
            {"id": "\(id)", "base_model": {"name": "m"}, "round": {"total": 2, "min_clients": 2, "min_updates": 2},
             "adapter": {"max_rank": 4, "modules": {"fc1": {"in": 2, "out": 3}}}}
            """
        #expect(try await admin.call(.post, "/v1/federations", body: settings).status == 201)
        let client = #"{"rank": 2, "token": "\#(UUID().hex)\#(UUID().hex)"}"#
        #expect(try await admin.call(.put, "/v1/federations/\(id)/clients/c", body: client).status == 201)
    }

    @Test func `docs operating names every metric`() throws {
        var table = "| metric | kind | labels | meaning |\n|---|---|---|---|\n"
        for metric in MetricCatalog.all {
            #expect(metric.kindName != "counter" || metric.name.hasSuffix("_total"), "\(metric.name)")
            #expect(metric.unit.map { metric.name.contains("_\($0)") } ?? true, "\(metric.name)")
            #expect(metric.help.hasSuffix("."), "\(metric.name)")
            let labels = metric.labels.map { "`\($0)`" }.joined(separator: ", ")
            table += "| `\(metric.name)` | \(metric.kindName) | \(labels.isEmpty ? "–" : labels) | \(metric.help) |\n"
        }
        #expect(Set(MetricCatalog.all.map(\.name)).count == MetricCatalog.all.count)
        try Self.table.compare(table)
    }

    @Test func `a scrape counts calls by their pattern and refusals by their code`() async throws {
        try await withServer { server, admin in
            try await create("f", admin)
            for _ in 0..<3 { _ = try await admin.call(.get, "/v1/federations/f") }
            let stranger = try Caller(server, token: nil)
            _ = try await stranger.call(.get, "/v1/federations/f")
            _ = try await admin.call(.get, "/v1/federations/nowhere")
            _ = try await admin.call(.get, "/no/such/path")
            let first = try Scrape(try await admin.call(.get, "/metrics"))
            #expect(first.type == "text/plain; version=0.0.4; charset=utf-8")
            let route = #"method="GET",route="/v1/federations/{federation}""#
            #expect(first["rankwise_http_requests_total{\(route),status=\"200\"}"] == 3)
            #expect(first["rankwise_http_requests_total{\(route),status=\"401\"}"] == 1)
            #expect(first["rankwise_http_requests_total{\(route),status=\"404\"}"] == 1)
            #expect(first["rankwise_http_request_seconds_count{\(route)}"] == 5)
            #expect(first["rankwise_http_request_seconds_bucket{\(route),le=\"+Inf\"}"] == 5)
            #expect(
                first[#"rankwise_http_requests_total{method="none",route="none",status="404"}"#] == 1)
            #expect(!first.text.contains("/no/such/path") && !first.text.contains("nowhere"))
            #expect(first[#"rankwise_problems_total{code="auth.token"}"#] == 1)
            #expect(first[#"rankwise_problems_total{code="federation.unknown"}"#] == 1)
            #expect(first[#"rankwise_problems_total{code="path.unknown"}"#] == 1)
            #expect(first["rankwise_http_connections"] ?? 0 >= 1)
            #expect(first[#"rankwise_audit_events_total{kind="client.registered"}"#] == 1)
            #expect(first["rankwise_store_commit_seconds_count"] ?? 0 >= 1)
            #expect(first[#"rankwise_store_failures_total{error="failed"}"#] == 0)
            let sent = try #require(first["rankwise_http_sent_bytes_total"])
            let received = try #require(first["rankwise_http_received_bytes_total"])
            // This scrape's text goes out after it was counted, and its request came before.
            let second = try Scrape(try await admin.call(.get, "/metrics"))
            #expect(second["rankwise_http_sent_bytes_total"] ?? 0 >= sent + Double(first.text.utf8.count))
            #expect(second["rankwise_http_received_bytes_total"] ?? 0 > received)
        }
    }

    @Test func `a long poll that waits is counted without its time`() async throws {
        try await withServer { _, admin in
            try await create("f", admin)
            let path = "/v1/federations/f/rounds/current"
            let known = try await admin.get(RoundBody.self, path)
            let poll = try await admin.call(.get, "\(path)?after=\(known.revision)&wait=1")
            #expect(poll.status == 204)
            let scrape = try Scrape(try await admin.call(.get, "/metrics"))
            let route = #"method="GET",route="/v1/federations/{federation}/rounds/current""#
            #expect(scrape["rankwise_http_requests_total{\(route),status=\"204\"}"] == 1)
            #expect(scrape["rankwise_http_request_seconds_count{\(route)}"] == 1)
        }
    }

    @Test func `federations beyond the bound share one label`() async throws {
        try await withServer(labelled: 2) { _, admin in
            for id in ["a", "b", "c", "d"] { try await create(id, admin) }
            let scrape = try Scrape(try await admin.call(.get, "/metrics"))
            #expect(scrape["rankwise_federations_unnamed"] == 2)
            #expect(scrape[#"rankwise_federations{state="waiting"}"#] == 4)
            #expect(scrape[#"rankwise_federation_clients{federation="a"}"#] == 1)
            #expect(scrape[#"rankwise_federation_clients{federation="b"}"#] == 1)
            #expect(scrape[#"rankwise_federation_clients{federation="c"}"#] == nil)
            #expect(scrape[#"rankwise_federation_clients{federation="_other"}"#] == 2)
            #expect(scrape[#"rankwise_federation_updates_quorum{federation="_other"}"#] == 4)
            #expect(scrape[#"rankwise_federation_rounds{federation="_other",phase="waiting"}"#] == 2)
            #expect(scrape[#"rankwise_federation_rounds{federation="a",phase="waiting"}"#] == 1)
            #expect(scrape[#"rankwise_federation_rounds{federation="a",phase="collecting"}"#] == 0)
            // A federation that has finished gives its label to the next one.
            let ended = try await admin.call(.patch, "/v1/federations/a", body: #"{"state": "finished"}"#)
            #expect(ended.status == 200)
            let later = try Scrape(try await admin.call(.get, "/metrics"))
            #expect(later[#"rankwise_federation_clients{federation="a"}"#] == nil)
            #expect(later[#"rankwise_federation_clients{federation="c"}"#] == 1)
        }
    }

    @Test func `every metric of a trained federation is there in both formats`() async throws {
        let federation = try await TrainedFederation(strategy: #"{"name": "rbla"}"#, ranks: ["a": 4, "b": 2])
        _ = try await federation.train()
        let admin = try Caller(federation.server, token: LiveServer.admin)
        let text = try Scrape(try await admin.call(.get, "/metrics"))
        // A counter by code or a histogram is there once something was counted.
        let missing = Set(MetricCatalog.all.map(\.name)).subtracting(text.names)
        #expect(missing.isSubset(of: ["rankwise_problems_total"]), "\(missing)")
        #expect(text[#"rankwise_aggregations_total{outcome="published"}"#] ?? 0 >= 1)
        #expect(
            text["rankwise_aggregation_seconds_count"] == text[#"rankwise_aggregations_total{outcome="published"}"#])
        #expect(text["rankwise_publication_seconds_count"] == text["rankwise_aggregation_seconds_count"])
        #expect(text["rankwise_aggregation_bytes_total"] ?? 0 > 0 && text["rankwise_publication_bytes_total"] ?? 0 > 0)
        #expect(text[#"rankwise_audit_events_total{kind="update.accepted"}"#] ?? 0 >= 1)
        let open = try Scrape(
            try await admin.call(
                .get, "/metrics",
                fields: [.init("Accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")]))
        #expect(open.type == "application/openmetrics-text; version=1.0.0; charset=utf-8")
        #expect(open.text.hasSuffix("# EOF\n"))
        #expect(Set(text.names.map { $0.replacing(/_total$/, with: "") }) == open.names)
        #expect(federation.server.metrics.undeclared == [])
        try await federation.stop()
    }

    @Test func `the token for metrics opens nothing else, and no client can take it`() async throws {
        try await withServer { server, admin in
            try await create("f", admin)
            let scraper = try Caller(server, token: LiveServer.metrics)
            #expect(try await scraper.call(.get, "/metrics").status == 200)
            #expect(try await scraper.refusal(.get, "/v1/federations") == "403 auth.role")
            #expect(try await scraper.refusal(.get, "/v1/federations/f/rounds/current") == "403 auth.role")
            #expect(try await scraper.refusal(.put, "/v1/federations/f/clients/d", body: "{}") == "403 auth.role")
            let stranger = try Caller(server, token: nil)
            #expect(try await stranger.refusal(.get, "/metrics") == "401 auth.token")
            let taken = try await admin.refusal(
                .put, "/v1/federations/f/clients/d", body: #"{"rank": 2, "token": "\#(LiveServer.metrics)"}"#)
            #expect(taken == "422 client.token")
        }
    }
}

extension UUID {
    /// 32 hexadecimal digits.
    fileprivate var hex: String { uuidString.replacing("-", with: "").lowercased() }
}
