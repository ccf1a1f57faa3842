import Foundation
import HTTPFetching
import RankwiseWire
import TestCertificates
import TestStage
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// The built server over TLS, with clients bound to their certificates.
@Suite(.ownThread) struct SecureServerTests {
    private static let admin = "an-admin-token-of-more-than-32-bytes"
    private static let tokens = [
        "edge-07": String(repeating: "ab", count: 32), "edge-08": String(repeating: "cd", count: 32),
    ]
    private static let settings = """
        {"id": "f", "base_model": {"name": "mlp-2-6-2", "seed": 5},
         "adapter": {"max_rank": 4, "modules": {"fc1": {"in": 2, "out": 6}, "fc2": {"in": 6, "out": 2}}},
         "round": {"total": 1, "min_updates": 1}, "training": {"epochs": 1}, "seed": 6}
        """

    private let certificates: Certificates
    private let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"

    init() throws {
        certificates = try Certificates()
        try certificates.makeServer()
        try certificates.make("edge-07", subject: "/CN=edge-07")
        try certificates.make("edge-08", subject: "/O=site", alternatives: "URI:spiffe://site/edge-08")
        try certificates.make("foreign", subject: "/CN=edge-07", authority: "other-ca")
    }

    private func serve(_ arguments: [String]) throws -> (server: Program, url: String) {
        let server = try Program(
            "rankwise-server",
            [
                "serve", "--listen", "127.0.0.1:0", "--data", folder, "--tls-certificate",
                certificates.certificate("server"), "--tls-key", certificates.key("server"),
            ] + arguments, environment: ["RANKWISE_ADMIN_TOKEN": Self.admin])
        let line = server.firstLine()
        #expect(line.hasPrefix("listening on https://127.0.0.1:"))
        return (server, try #require(line.split(separator: " ").last.map(String.init)))
    }

    private func call(
        _ method: FetchRequest.Method, _ url: String, token: String, under certificate: String? = nil,
        body: String? = nil
    ) async throws -> (status: Int, code: String?) {
        let fetcher = try HTTPFetcher(
            tls: .init(
                authority: certificates.certificate("ca"), certificate: certificate.map(certificates.certificate),
                key: certificate.map(certificates.key)))
        let answer = try await fetcher.fetch(
            FetchRequest(
                method, url, fields: [HTTPField("Authorization", "Bearer \(token)")],
                body: body.map { .bytes(Array($0.utf8)) } ?? .none))
        let problem = try? WireJSON.decode(Problem.self, from: Data(answer.body))
        return (answer.status, problem?.code)
    }

    private func enrolmentToken(_ url: String) async throws -> String {
        let fetcher = try HTTPFetcher(tls: .init(authority: certificates.certificate("ca")))
        let created = try await fetcher.fetch(
            FetchRequest(
                .post, url + "/v1/federations", fields: [HTTPField("Authorization", "Bearer \(Self.admin)")],
                body: .bytes(Array(Self.settings.utf8))))
        return try WireJSON.decode(CreatedFederationBody.self, from: Data(created.body)).enrolmentToken
    }

    @Test func `SIGHUP brings a renewed certificate, a bad one changes nothing, and neither ends a connection`()
        async throws
    {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (server, url) = try serve([])
        let before = try HTTPFetcher(tls: .init(authority: certificates.certificate("ca")))
        #expect(try await before.fetch(FetchRequest(.get, url + "/healthz")).status == 200)
        let after = try HTTPFetcher(tls: .init(authority: certificates.certificate("other-ca")))
        // A fetcher keeps its connection, whose certificate was seen once.
        func isServed(by fetcher: HTTPFetcher) async -> Bool {
            (try? await fetcher.fetch(FetchRequest(.get, url + "/healthz")).status) == 200
        }
        #expect(await !isServed(by: after))
        try Data("no certificate".utf8).write(to: URL(fileURLWithPath: certificates.certificate("server")))
        kill(server.id, SIGHUP)
        #expect(await isServed(by: before))
        try certificates.make(
            "server", subject: "/CN=localhost", alternatives: "DNS:localhost,IP:127.0.0.1", authority: "other-ca")
        kill(server.id, SIGHUP)
        while await !isServed(by: after) { await Task.yield() }
        #expect(await isServed(by: before))
        #expect(server.stop() == 0)
    }

    @Test func `a client's calls come under its own certificate`() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (server, url) = try serve([
            "--tls-client-ca", certificates.certificate("ca"), "--tls-client-certificates", "optional",
        ])
        let enrolment = try await enrolmentToken(url)
        for (name, other) in [("edge-07", "edge-08"), ("edge-08", "edge-07")] {
            let token = try #require(Self.tokens[name])
            let path = url + "/v1/federations/f/clients/" + name
            let body = #"{"rank": 2, "token": "\#(token)"}"#
            let refused = try await call(.put, path, token: enrolment, under: other, body: body)
            #expect(refused == (403, "auth.certificate"))
            #expect(try await call(.put, path, token: enrolment, under: name, body: body).status == 201)
            let plan = url + "/v1/federations/f/plan"
            #expect(try await call(.get, plan, token: token, under: name).status == 200)
            #expect(try await call(.get, plan, token: token, under: other) == (403, "auth.certificate"))
            #expect(try await call(.get, path, token: token, under: other) == (403, "auth.certificate"))
            // It is optional here, and the admin may use any.
            #expect(try await call(.get, plan, token: token).status == 200)
            #expect(try await call(.get, path, token: Self.admin, under: other).status == 200)
        }
        await #expect(throws: FetchError.self) {
            try await call(.get, url + "/healthz", token: Self.admin, under: "foreign")
        }
        #expect(server.stop() == 0)
    }

    @Test func `the built client takes part under its certificate alone`() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (server, url) = try serve(["--tls-client-ca", certificates.certificate("ca")])
        let refused = try HTTPFetcher(tls: .init(authority: certificates.certificate("ca")))
        let error = await #expect(throws: FetchError.self) {
            try await refused.fetch(FetchRequest(.get, url + "/healthz"))
        }
        // A portal on the way refuses certificates too, and gives way in time.
        if case .untrusted = error {} else { Issue.record("expected no trust, got \(String(describing: error))") }
        let admin = try HTTPFetcher(
            tls: .init(
                authority: certificates.certificate("ca"), certificate: certificates.certificate("edge-08"),
                key: certificates.key("edge-08")))
        let created = try await admin.fetch(
            FetchRequest(
                .post, url + "/v1/federations", fields: [HTTPField("Authorization", "Bearer \(Self.admin)")],
                body: .bytes(Array(Self.settings.utf8))))
        let enrolment = try WireJSON.decode(CreatedFederationBody.self, from: Data(created.body)).enrolmentToken
        let data = folder + ".csv"
        defer { try? FileManager.default.removeItem(atPath: data) }
        try (0..<20).map { "\($0 % 5),\($0 % 7),\($0 % 2)" }.joined(separator: "\n")
            .write(toFile: data, atomically: true, encoding: .utf8)
        func join(_ name: String, _ arguments: [String], _ environment: [String: String] = [:]) throws -> Int32 {
            let state = folder + "-state-\(UUID().uuidString)"
            defer { try? FileManager.default.removeItem(atPath: state) }
            return try Program(
                "rankwise-client",
                [
                    "join", url, "--federation", "f", "--name", name, "--rank", "2", "--data", data, "--state", state,
                    "--give-up-after", "2",
                ] + arguments, environment: environment.merging(["RANKWISE_TOKEN": enrolment]) { $1 }
            ).exitStatus()
        }
        let authority = ["--ca-file", certificates.certificate("ca")]
        let own = ["--certificate", certificates.certificate("edge-07"), "--key", certificates.key("edge-07")]
        // Without the server's authority, without a certificate, under another's name.
        #expect(try join("edge-07", own) == 4)
        #expect(try join("edge-07", authority) == 4)
        #expect(try join("edge-09", authority + own) == 3)
        #expect(try join("edge-07", authority + ["--certificate", certificates.certificate("edge-07")]) == 2)
        #expect(try join("edge-07", ["--ca-file", folder + "/nowhere"]) == 2)
        #expect(
            try join(
                "edge-07", [],
                [
                    "RANKWISE_CA_FILE": certificates.certificate("ca"),
                    "RANKWISE_CERTIFICATE": certificates.certificate("edge-07"),
                    "RANKWISE_KEY": certificates.key("edge-07"),
                ]) == 0)
        #expect(server.stop() == 0)
    }

    @Test func `through a proxy's CONNECT the server's answers are heard, and not the proxy's`() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (server, url) = try serve([])
        let enrolment = try await enrolmentToken(url)
        let rules = BadLink.Rules(answerToConnect: { number in
            // The proxy itself is out of order now and then.
            number % 3 == 0
                ? "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"
                : "HTTP/1.1 200 Connection established\r\nContent-Type: text/html\r\n\r\n"
        })
        let proxy = try BadLink(to: try #require(url.split(separator: ":").last.flatMap { UInt16($0) }), rules: rules)
        defer { proxy.stop() }
        let data = folder + ".csv"
        defer { try? FileManager.default.removeItem(atPath: data) }
        try "1,2,0\n3,4,1\n".write(toFile: data, atomically: true, encoding: .utf8)
        func join(_ token: String) throws -> (status: Int32, log: String) {
            let state = folder + "-state-\(UUID().uuidString)"
            defer { try? FileManager.default.removeItem(atPath: state) }
            let client = try Program(
                [
                    Program.builtFolder() + "/rankwise-client", "join", url, "--federation", "f", "--name", "edge-07",
                    "--rank", "2", "--data", data, "--state", state, "--ca-file", certificates.certificate("ca"),
                ],
                environment: [
                    "RANKWISE_TOKEN": token, "https_proxy": "http://127.0.0.1:\(proxy.port)", "no_proxy": "",
                    "NO_PROXY": "",
                ], errors: .merged)
            let log = client.text()
            return (client.exitStatus(), log)
        }
        let refused = try join("a-wrong-token")
        #expect(refused.status == 3)
        #expect(!refused.log.contains("registered as"), "\(refused.log)")
        #expect(try join(enrolment).status == 0)
        #expect(proxy.sent > 0)
        #expect(server.stop() == 0)
    }

    @Test func `a server off loopback needs TLS or an explicit choice`() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let refused = try Program("rankwise-server", ["serve", "--listen", "0.0.0.0:0", "--data", folder])
        #expect(refused.exitStatus() != 0)
        let chosen = try Program(
            "rankwise-server", ["serve", "--listen", "0.0.0.0:0", "--data", folder, "--plain-http"])
        #expect(chosen.firstLine().hasPrefix("listening on http://0.0.0.0:"))
        #expect(chosen.stop() == 0)
    }
}
