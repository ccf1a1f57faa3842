import ArgumentParser
import Federation
import Foundation
import HTTPServing
import Logging
import RankwiseWire
import Testing

@testable import ServerProgram

/// Flags before environment before file before defaults, and what may not be.
@Suite struct ServerSettingsTests {
    private func settings(
        _ document: String = "{}", _ flags: [String] = [], _ environment: [String: String] = [:]
    ) throws -> ServerSettings {
        let file = try WireJSON.decodeStrictly(ServerDocument.self, from: Data(document.utf8))
        return try ServerSettings(file: file, flags: ServerFlags.parse(flags), environment: environment)
    }

    private func refusal(
        _ document: String = "{}", _ flags: [String] = [], _ environment: [String: String] = [:]
    ) throws -> SettingsError? {
        #expect(throws: SettingsError.self) { try settings(document, flags, environment) }
    }

    private static let document = """
        {"tls": {"certificate": "c1", "key": "k1", "client_ca": "a1", "client_certificates": "optional"}}
        """

    @Test func `TLS comes from flags, then the environment, then the file`() throws {
        let file = try settings(Self.document)
        #expect(
            file.tls
                == HTTPServer.TLS(certificate: "c1", key: "k1", clientCA: "a1", clientCertificates: .optional))
        #expect(file.scheme == "https")
        let environment = [
            "RANKWISE_TLS_CERTIFICATE": "c2", "RANKWISE_TLS_KEY": "k2", "RANKWISE_TLS_CLIENT_CA": "a2",
            "RANKWISE_TLS_CLIENT_CERTIFICATES": "required",
        ]
        #expect(
            try settings(Self.document, [], environment).tls
                == HTTPServer.TLS(certificate: "c2", key: "k2", clientCA: "a2", clientCertificates: .required))
        let flags = [
            "--tls-certificate", "c3", "--tls-key", "k3", "--tls-client-ca", "a3", "--tls-client-certificates", "none",
        ]
        #expect(
            try settings(Self.document, flags, environment).tls
                == HTTPServer.TLS(certificate: "c3", key: "k3", clientCA: "a3", clientCertificates: .none))
    }

    @Test func `by default nothing is asked of clients without a client CA, and all with one`() throws {
        #expect(try settings().tls == nil)
        #expect(try settings().scheme == "http")
        let two = ["--tls-certificate", "c", "--tls-key", "k"]
        #expect(try settings("{}", two).tls?.clientCertificates == HTTPServer.TLS.ClientCertificates.none)
        #expect(try settings("{}", two + ["--tls-client-ca", "a"]).tls?.clientCertificates == .required)
    }

    @Test(arguments: [
        (["--tls-certificate", "c"], "tls.certificate"), (["--tls-key", "k"], "tls.key"),
        (["--tls-client-ca", "a"], "tls.client_ca"),
        (["--tls-client-certificates", "none"], "tls.client_certificates"),
        (["--tls-certificate", "c", "--tls-key", "k", "--tls-client-certificates", "some"], "tls.client_certificates"),
        (["--tls-certificate", "c", "--tls-key", "k", "--tls-client-certificates", "required"], "tls.client_ca"),
    ])
    func `half of TLS is refused by name`(flags: [String], path: String) throws {
        #expect(try refusal("{}", flags)?.path == path)
    }

    @Test(arguments: ["0.0.0.0:80", "[::]:80", "10.0.0.1:80", "example.org:80", "128.0.0.1:80"])
    func `plain HTTP off loopback must be chosen`(listen: String) throws {
        let error = try refusal("{}", ["--listen", listen])
        #expect(error?.path == "tls")
        #expect(error?.reason.contains("plain_http: true or --plain-http") == true)
        #expect(try refusal(#"{"plain_http": false}"#, ["--listen", listen]) != nil)
        #expect(
            try refusal(#"{"plain_http": true}"#, ["--listen", listen], ["RANKWISE_PLAIN_HTTP": "false"]) != nil)
        #expect(try settings("{}", ["--listen", listen, "--plain-http"]).tls == nil)
        #expect(try settings(#"{"plain_http": true}"#, ["--listen", listen]).tls == nil)
        #expect(try settings("{}", ["--listen", listen], ["RANKWISE_PLAIN_HTTP": "true"]).tls == nil)
        #expect(try settings(Self.document, ["--listen", listen]).tls != nil)
    }

    @Test(arguments: ["127.0.0.1:80", "127.9.9.9:80", "localhost:80", "[::1]:80"])
    func `plain HTTP on loopback needs no choice`(listen: String) throws {
        #expect(try settings("{}", ["--listen", listen]).tls == nil)
    }

    @Test func `a choice of plain HTTP that is none is refused`() throws {
        #expect(try refusal("{}", [], ["RANKWISE_PLAIN_HTTP": "yes"])?.path == "RANKWISE_PLAIN_HTTP")
    }

    @Test func `every limit of overload is a setting`() throws {
        let limits = try settings(
            """
            {"limits": {"connections": 1, "connections_per_address": 2, "bodies_in_flight": 3,
                        "body_bytes_in_flight": 4, "retry_after_seconds": 5}}
            """
        ).limits
        #expect(limits.connections == 1)
        #expect(limits.connectionsPerAddress == 2)
        #expect(limits.bodiesInFlight == 3)
        #expect(limits.bodyBytesInFlight == 4)
        #expect(limits.retryAfterSeconds == 5)
    }

    @Test func `trusted proxies are addresses and ranges, and what is none is refused by its text`() throws {
        let proxies = try settings(#"{"trusted_proxies": ["127.0.0.1", "10.0.0.0/8", "fd00::/8"]}"#).trustedProxies
        #expect(proxies.map { $0.contains(.v4(UInt32(0x0A01_0203).bigEndian)) } == [false, true, false])
        #expect(try settings().trustedProxies.isEmpty)
        let error = try refusal(#"{"trusted_proxies": ["10.0.0.1/8"]}"#)
        #expect(error?.path == "trusted_proxies" && error?.reason.hasPrefix("has '10.0.0.1/8'; ") == true)
    }

    @Test(arguments: ["header_seconds", "idle_seconds", "body_window_seconds", "upload_seconds", "drain_seconds"])
    func `times that no clock reaches are refused, and end no process`(_ key: String) throws {
        for value in ["1e300", "0", "-1", "1000000001"] {
            #expect(throws: WireError.self) { try settings(#"{"limits": {"\#(key)": \#(value)}}"#) }
        }
        _ = try settings(#"{"limits": {"\#(key)": 1000000000}}"#)
    }

    @Test func `bounds of any size can be set`() async throws {
        let largest = Int.max
        let document = """
            {"limits": {"least_body_bytes_per_second": \(largest), "body_bytes": \(largest), "connections": \(largest),
              "client_requests_in_flight": \(largest), "shared_token_bodies_in_flight": \(largest),
              "body_window_seconds": 1000000000}}
            """
        let limits = try settings(document)
        #expect(limits.limits.bodyBytes == largest)
        var configuration = HTTPServer.Configuration()
        configuration.address = .tcp(host: "127.0.0.1", port: 0)
        configuration.limits = limits.limits
        let server = HTTPServer(
            configuration: configuration, router: Router(), renderFailure: { Response(status: $0.status) },
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        #expect(try server.start().port > 0)
        await server.shutdown(within: .zero)
    }
}
