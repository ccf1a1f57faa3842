import Foundation
import HTTPFetching
import HTTPServing
import Logging
import MemoryObjects
import ObjectStorage
import TestCertificates
import TestStage
import Testing

/// The built server with TLS to a real PostgreSQL, which wants a password too, and to an object store.
@Suite(.enabled(if: ClusterDatabase.url != nil, "RANKWISE_TEST_POSTGRES names a database"), .ownThread)
struct ClusterTLSTests {
    private static let password = "first-piece%second-piece/third-piece@fourth-piece"
    private static let secretKey = "the-secret-key-of-the-bucket"
    private static let admin = "the-admin-token-of-more-than-32-bytes"

    private let folder = NSTemporaryDirectory() + "rankwise-tls-\(UUID().uuidString)"
    private let role = "tls_" + UUID().uuidString.lowercased().replacing("-", with: "")
    private let certificates: Certificates
    private let database: URLComponents

    init() throws {
        certificates = try Certificates()
        try certificates.makeServer()
        try certificates.make("elsewhere", subject: "/CN=elsewhere", alternatives: "DNS:elsewhere.example")
        database = try #require(ClusterDatabase.url.flatMap { URLComponents(string: $0) })
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Self.psql(
            """
            CREATE ROLE \(role) LOGIN PASSWORD '\(Self.password)' IN ROLE by_password;
            CREATE SCHEMA \(role) AUTHORIZATION \(role); ALTER ROLE \(role) SET search_path = \(role)
            """)
        // The CA follows the certificate in the server's file.
        let chain = try Self.psql("SELECT pg_read_file(current_setting('ssl_cert_file'))")
        try #require(
            chain.contains("BEGIN CERTIFICATE"), "the test's PostgreSQL has no TLS: start it by scripts/postgres-up")
        try chain.write(toFile: databaseAuthority, atomically: true, encoding: .utf8)
    }

    private var databaseAuthority: String { folder + "/database-ca.pem" }

    private func clean() {
        try? FileManager.default.removeItem(atPath: folder)
        _ = try? Self.psql("DROP SCHEMA \(role) CASCADE; DROP ROLE \(role)")
    }

    /// What one attempt differs in from the settings that work.
    struct Attempt: Sendable, CustomTestStringConvertible {
        var name = "all is right"
        var host = "localhost"
        var password: String? = ClusterTLSTests.password
        var mode = "verify-full"
        var databaseAuthority: Authority = .own
        var storeAuthority: Authority = .own
        var storeCertificate = "server"
        /// What the log says.
        var reasons: [String] = []

        enum Authority: Sendable { case own, other, missing }

        var testDescription: String { name }
    }

    private func file(_ authority: Attempt.Authority, own: String) -> String {
        switch authority {
        case .own: own
        case .other: certificates.certificate("other-ca")
        case .missing: folder + "/nowhere.pem"
        }
    }

    private func startStore(_ certificate: String) throws -> (store: ObjectServer, url: String) {
        var configuration = ObjectServer.Configuration()
        configuration.buckets = ["rankwise"]
        configuration.credentials = Credentials(accessKeyID: "key", secretAccessKey: Self.secretKey)
        configuration.tls = HTTPServer.TLS(
            certificate: certificates.certificate(certificate), key: certificates.key(certificate))
        let store = ObjectServer(configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        return (store, try store.start())
    }

    private func server(_ attempt: Attempt, store: String) throws -> Program {
        let config = folder + "/server.yaml"
        try """
        object_storage:
          endpoint: "\(store)"
          authority: "\(file(attempt.storeAuthority, own: certificates.certificate("ca")))"
        postgres: {durability: lone, connections: 2}
        log: {level: trace, format: text}
        """.write(toFile: config, atomically: true, encoding: .utf8)
        let authority = file(attempt.databaseAuthority, own: databaseAuthority)
        let secret = try attempt.password.map { password in
            ":" + (try #require(password.addingPercentEncoding(withAllowedCharacters: .alphanumerics)))
        }
        let port = try #require(database.port)
        return try Program(
            [
                Program.builtFolder() + "/rankwise-server", "serve", "--config", config, "--listen", "127.0.0.1:0",
                "--data",
                "postgresql://\(role)\(secret ?? "")@\(attempt.host):\(port)\(database.path)"
                    + "?sslmode=\(attempt.mode)&sslrootcert=\(authority)",
                "--objects", "s3://rankwise/\(role)", "--scratch", folder + "/scratch",
            ],
            environment: [
                "RANKWISE_ADMIN_TOKEN": Self.admin, "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": Self.secretKey, "PGPASSFILE": folder + "/no-passwords",
            ], errors: .merged)
    }

    /// No part of a secret is in a text.
    private func expectNoSecrets(in text: String) {
        for secret in [Self.password, Self.secretKey, Self.admin]
            + Self.password.components(separatedBy: ["%", "/", "@"])
        {
            #expect(!text.contains(secret), "\(text)")
        }
    }

    private func call(_ method: FetchRequest.Method, _ url: String, _ body: String? = nil) async throws -> FetchResponse
    {
        try await HTTPFetcher().fetch(
            FetchRequest(
                method, url, fields: [HTTPField("Authorization", "Bearer \(Self.admin)")],
                body: body.map { .bytes(Array($0.utf8)) } ?? .none))
    }

    @Test func `a federation is kept over verified connections, and no secret is in the log`() async throws {
        defer { clean() }
        let (store, endpoint) = try startStore("server")
        let program = try server(Attempt(), store: endpoint)
        var log = ""
        var line = ""
        while !line.hasPrefix("listening on ") {
            line = program.firstLine()
            try #require(!line.isEmpty, "\(log)")
            log += line + "\n"
        }
        let url = try #require(line.split(separator: " ").last.map(String.init))
        #expect(try await call(.get, url + "/readyz").status == 200)
        let created = try await call(
            .post, url + "/v1/federations",
            """
            {"id": "sealed", "base_model": {"name": "mlp", "seed": 1}, "adapter": {"max_rank": 2, "modules":
            {"fc1": {"in": 4, "out": 4}}}, "round": {"total": 1, "min_clients": 2, "min_updates": 2}}
            """)
        #expect(created.status == 201, "\(String(decoding: created.body, as: UTF8.self))")
        #expect(try await call(.get, url + "/v1/federations/sealed/adapter").status == 200)
        #expect(!store.keys(in: "rankwise").isEmpty)
        let connections = try Self.psql(
            """
            SELECT bool_and(ssl), count(*) > 1 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = '\(role)'
            """)
        #expect(connections == "t|t\n")
        kill(program.id, SIGTERM)
        log += program.text()
        #expect(program.exitStatus() == 0, "\(log)")
        #expect(log.contains("serving"), "\(log)")
        expectNoSecrets(in: log)
    }

    static let refused = [
        Attempt(
            name: "another CA for the database", databaseAuthority: .other,
            reasons: ["no connection to PostgreSQL", "certificate verify failed"]),
        Attempt(
            name: "no file with a CA for the database", databaseAuthority: .missing,
            reasons: ["no connection to PostgreSQL", "root certificate file", "/nowhere.pem"]),
        Attempt(
            name: "a host that the database's certificate does not name", host: "127.0.0.1",
            reasons: ["no connection to PostgreSQL", #"for "localhost""#, "does not match host name \"127.0.0.1\""]),
        Attempt(
            name: "another password", password: "wrong-\(password)",
            reasons: ["no connection to PostgreSQL", "password authentication failed for user"]),
        Attempt(name: "no password", password: nil, reasons: ["no connection to PostgreSQL", "no password supplied"]),
        Attempt(
            name: "no TLS, where the database wants it", mode: "disable",
            reasons: ["no connection to PostgreSQL", "pg_hba.conf rejects connection", "no encryption"]),
        Attempt(
            name: "another CA for the object store", storeAuthority: .other,
            reasons: ["the object store is not trusted", "https://127.0.0.1:", "certificate"]),
        Attempt(
            name: "no file with a CA for the object store", storeAuthority: .missing,
            reasons: ["the object store", "certificate", "/nowhere.pem"]),
        Attempt(
            name: "a host that the object store's certificate does not name", storeCertificate: "elsewhere",
            reasons: ["the object store is not trusted", "https://127.0.0.1:", "127.0.0.1'"]),
    ]

    @Test(arguments: refused)
    func `what cannot be trusted keeps a server from starting, at once and with the reason`(_ attempt: Attempt) throws {
        defer { clean() }
        let (store, endpoint) = try startStore(attempt.storeCertificate)
        let started = ContinuousClock.now
        let program = try server(attempt, store: endpoint)
        let log = program.text()
        #expect(program.exitStatus() == 1, "\(log)")
        for reason in attempt.reasons { #expect(log.contains(reason), "\(log)") }
        // A setting that does not fit is not asked again for `postgres.patience_seconds`.
        #expect(!log.contains("PostgreSQL is asked again"), "\(log)")
        #expect(ContinuousClock.now - started < .seconds(10))
        expectNoSecrets(in: log)
        // No key went to a store that is not trusted.
        if attempt.storeAuthority != .own || attempt.storeCertificate != "server" { #expect(store.seen.isEmpty) }
    }

    @Test(arguments: [
        ("postgresql://role:\(password)@localhost/d", "cannot read the connection string"),
        ("postgresql://role:the-password/of@localhost/d", "a port of the connection string"),
        ("postgresql://role:the-password@of@localhost/d", "a host of the connection string"),
        ("postgresql://role:the-password@localhost:0/d", "a port of the connection string"),
        ("postgresql://role@localhost/d?pasword=the-password", "cannot read the connection string"),
    ])
    func `a connection string that is wrong is refused without its text`(data: String, reason: String) throws {
        defer { clean() }
        let (store, endpoint) = try startStore("server")
        defer { withExtendedLifetime(store) {} }
        let config = folder + "/server.yaml"
        try "object_storage: {endpoint: \"\(endpoint)\", authority: \"\(certificates.certificate("ca"))\"}"
            .write(toFile: config, atomically: true, encoding: .utf8)
        let program = try Program(
            [
                Program.builtFolder() + "/rankwise-server", "serve", "--config", config, "--listen", "127.0.0.1:0",
                "--data", data, "--objects", "s3://rankwise/\(role)", "--scratch", folder + "/scratch",
            ], environment: ["AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": Self.secretKey], errors: .merged)
        let log = program.text()
        #expect(program.exitStatus() == 1, "\(log)")
        #expect(log.contains(reason), "\(log)")
        expectNoSecrets(in: log)
        #expect(!log.contains("the-password"), "\(log)")
    }

    /// Runs statements as the database's owner; returns the rows, as psql prints them.
    @discardableResult
    private static func psql(_ statement: String) throws -> String {
        let program = try Program(
            [
                "/usr/lib/postgresql/15/bin/psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c",
                "SET client_min_messages = warning", "-c", statement, try #require(ClusterDatabase.url),
            ], errors: .merged)
        let text = program.text()
        try #require(program.exitStatus() == 0, "\(text)")
        return text
    }
}
