import Federation
import Foundation
import HTTPFetching
import RankwiseWire
import TestStage
import Testing

@testable import ServerProgram

/// The settings of metrics, and their port beside the built server's.
@Suite struct MetricsPortTests {
    private func settings(_ metrics: String) throws -> MetricsSettings {
        let document = #"{"metrics": \#(metrics)}"#
        let file = try WireJSON.decodeStrictly(ServerDocument.self, from: Data(document.utf8))
        return try ServerSettings(file: file).metrics
    }

    @Test func `by default metrics are counted, and have neither a port nor a token of their own`() throws {
        let metrics = try settings("{}")
        #expect(metrics.isEnabled && metrics.address == nil && metrics.federations == 200)
        #expect(try metrics.tokenHash() == nil)
    }

    @Test(arguments: [
        (#"{"listen": "nowhere"}"#, "metrics.listen is 'nowhere'; expected HOST:PORT or unix:PATH"),
        (#"{"federations": -1}"#, "metrics.federations is -1; expected 0 to 100000"),
        (
            #"{"enabled": false, "listen": "127.0.0.1:1"}"#,
            "metrics.enabled is false; expected neither metrics.listen nor metrics.token_file beside it"
        ),
    ])
    func `settings that cannot be are refused by their name`(metrics: String, expected: String) throws {
        let error = #expect(throws: SettingsError.self) { try settings(metrics) }
        #expect(error.map { "\($0)" } == expected)
    }

    @Test func `a file without a token is refused`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/token"
        let absent = try settings(#"{"token_file": "\#(path)"}"#)
        #expect(throws: SettingsError.self) { try absent.tokenHash() }
        try "short\n".write(toFile: path, atomically: true, encoding: .utf8)
        let error = #expect(throws: SettingsError.self) { try absent.tokenHash() }
        #expect(error?.reason.contains("holds 5 bytes; expected a token of at least 32") == true)
        try (String(repeating: "m", count: 32) + "\n").write(toFile: path, atomically: true, encoding: .utf8)
        #expect(try absent.tokenHash() != nil)
    }

    @Test func `the port of metrics answers everybody, and no other call`() async throws {
        let folder = try TemporaryFolder()
        let token = String(repeating: "m", count: 40)
        try token.write(toFile: folder.path + "/token", atomically: true, encoding: .utf8)
        let config = folder.path + "/server.yaml"
        try """
        listen: 127.0.0.1:0
        metrics: {listen: "127.0.0.1:0", token_file: \(folder.path)/token}
        """.write(toFile: config, atomically: true, encoding: .utf8)
        let server = try Program("rankwise-server", ["serve", "--config", config, "--data", folder.path + "/data"])
        let api = try #require(server.firstLine().split(separator: " ").last)
        let line = server.firstLine()
        #expect(line.hasPrefix("metrics on http://127.0.0.1:") && line.hasSuffix("/metrics"))
        let url = try #require(line.split(separator: " ").last.map(String.init))
        let fetcher = try HTTPFetcher()
        let open = try await fetcher.fetch(FetchRequest(.get, url, fields: [], body: .none))
        #expect(open.status == 200)
        #expect(String(decoding: open.body, as: UTF8.self).contains("\nrankwise_http_connections 0\n"))
        let other = try await fetcher.fetch(
            FetchRequest(
                .get, url.replacing("/metrics", with: "/v1/federations"), fields: [], body: .none))
        #expect(other.status == 404)
        // On the API's port the token is needed.
        let closed = try await fetcher.fetch(FetchRequest(.get, "\(api)/metrics", fields: [], body: .none))
        #expect(closed.status == 401)
        let scraped = try await fetcher.fetch(
            FetchRequest(.get, "\(api)/metrics", fields: [.init("Authorization", "Bearer \(token)")], body: .none))
        #expect(scraped.status == 200)
        #expect(String(decoding: scraped.body, as: UTF8.self).contains("\nrankwise_http_connections 1\n"))
        #expect(server.stop() == 0)
    }

    @Test func `a server that counts nothing has no such path`() async throws {
        let folder = try TemporaryFolder()
        let config = folder.path + "/server.yaml"
        try "listen: 127.0.0.1:0\nmetrics: {enabled: false}\n".write(
            toFile: config, atomically: true, encoding: .utf8)
        let server = try Program("rankwise-server", ["serve", "--config", config, "--data", folder.path + "/data"])
        let api = try #require(server.firstLine().split(separator: " ").last)
        let answer = try await HTTPFetcher().fetch(FetchRequest(.get, "\(api)/metrics", fields: [], body: .none))
        #expect(answer.status == 404)
        #expect(server.stop() == 0)
    }
}
