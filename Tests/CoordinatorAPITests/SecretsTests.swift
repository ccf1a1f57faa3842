import Foundation
import HTTPFetching
import Logging
import RankwiseWire
import Synchronization
import Testing

/// Tokens stay out of logs and answers, whatever is done with them, right and wrong.
@Suite struct SecretsTests {
    /// Keeps every entry with all that it says.
    private struct Journal: LogHandler {
        final class Lines: Sendable {
            let all = Mutex<[String]>([])
        }

        let lines: Lines
        var logLevel: Logger.Level = .trace
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            lines.all.withLock { $0.append("\(event.level) \(event.message) \(event.metadata ?? [:])") }
        }
    }

    private static let path = "/v1/federations/f"
    private static let settings = """
        {"id": "f", "base_model": {"name": "m"},
         "adapter": {"max_rank": 4, "modules": {"fc1": {"in": 2, "out": 3}}}, "round": {"total": 1, "min_updates": 1}}
        """

    @Test func `no token is in a log or in an answer but the one that made it`() async throws {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let lines = Journal.Lines()
        let logger = Logger(label: "test") { _ in Journal(lines: lines) }
        let server = try await LiveServer(folder: folder, logger: logger)
        let admin = try Caller(server, token: LiveServer.admin)
        let created = try await admin.call(.post, "/v1/federations", body: Self.settings)
        let tokens = try WireJSON.decode(CreatedFederationBody.self, from: Data(created.body))
        let made = try await admin.call(.post, Self.path + "/tokens", body: #"{"role": "enrolment", "uses": 1}"#)
        let issued = try #require(try WireJSON.decode(TokenBody.self, from: Data(made.body)).token)
        let (client, wrong) = (String(repeating: "a7", count: 32), String(repeating: "b8", count: 32))
        let secrets = [issued, LiveServer.admin, tokens.enrolmentToken, tokens.readerToken, client, wrong]
        var answers: [String] = []
        for token in secrets + [issued, client] {
            let caller = try Caller(server, token: token)
            for (method, path, body) in Self.calls(client: client, wrong: wrong) {
                let answer = try await caller.call(method, Self.path + path, body: body)
                answers.append(String(decoding: answer.body, as: UTF8.self))
                answers.append(answer.fields.map { "\($0.name): \($0.value)" }.joined(separator: "\n"))
            }
        }
        for field in ["Basic \(wrong)", "Bearer  \(wrong) ", wrong, "bearer\t\(wrong)", "Bearer \(wrong), \(client)"] {
            let head = "GET \(Self.path) HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAuthorization: \(field)\r\n\r\n"
            answers.append(try await RawExchange.answer(to: head, at: server.url))
            answers.append(try await RawExchange.answer(to: head.replacing("\r\n", with: "\n"), at: server.url))
        }
        try await server.stop()
        let log = lines.all.withLock { $0 }
        #expect(log.contains { $0.contains("token.used") } && log.contains { $0.contains("client.registered") })
        #expect(answers.contains { $0.contains("auth.token") } && answers.contains { $0.contains("body.invalid") })
        for secret in secrets {
            for text in log + answers { #expect(!text.contains(secret)) }
        }
        // Nor is one on the disk, but for the admin's own file, which this server has not.
        for file in try FileManager.default.subpathsOfDirectory(atPath: folder) {
            guard let bytes = FileManager.default.contents(atPath: folder + "/" + file) else { continue }
            for secret in secrets { #expect(bytes.firstRange(of: Data(secret.utf8)) == nil, "\(file)") }
        }
    }

    /// Everything that is done with a token, and what is done wrongly.
    private static func calls(client: String, wrong: String) -> [(FetchRequest.Method, String, String?)] {
        [
            (.put, "/clients/c", #"{"rank": 2, "token": "\#(client)"}"#),
            (.put, "/clients/c", #"{"rank": 2, "token": "\#(wrong)"}"#),
            (.put, "/clients/d", #"{"rank": 2, "token": "\#(LiveServer.admin)"}"#),
            (.put, "/clients/d", #"{"rank": "\#(wrong)", "token": "\#(client)"}"#),
            (.put, "/clients/d", #"{"rank": 2, "token": ["\#(wrong)"]}"#),
            (.put, "/clients/d", #"{"rank": 2, "tokens": "\#(wrong)"}"#),
            (.put, "/clients/d", #"{"rank": 2, "token": "\#(wrong)""#),
            (.put, "/clients/d?token=\(wrong)", #"{"rank": 2, "token": "\#(client)"}"#),
            (.get, "", nil), (.get, "/plan", nil), (.get, "/clients", nil), (.get, "/clients/c", nil),
            (.get, "/tokens", nil), (.get, "/events", nil), (.get, "/rounds/current", nil), (.get, "/nothing", nil),
            (.put, "/rounds/1/update?samples=1", wrong), (.delete, "/tokens/none", nil),
        ]
    }
}
