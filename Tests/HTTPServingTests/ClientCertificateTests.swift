import COpenSSL
import Foundation
import HTTPServing
import HTTPTypes
import TestCertificates
import TestStage
import Testing

/// What certificates are asked of peers, what is read of them, and what is wrong with the server's own.
@Suite(.ownThread) struct ClientCertificateTests {
    private let certificates: Certificates

    init() throws {
        certificates = try Certificates()
        try certificates.makeServer()
    }

    private func settings(_ asked: HTTPServer.TLS.ClientCertificates = .none) -> HTTPServer.TLS {
        HTTPServer.TLS(
            certificate: certificates.certificate("server"), key: certificates.key("server"),
            clientCA: certificates.certificate("ca"), clientCertificates: asked)
    }

    private func serving(
        _ asked: HTTPServer.TLS.ClientCertificates, _ body: (UInt16) async throws -> Void
    ) async throws {
        try await HTTPServingTests.serving {
            $0.tls = settings(asked)
        } routes: {
            $0.on(.get, "/names") { .text($0.certificate?.names.sorted().joined(separator: " ") ?? "none") }
        } _: {
            try await body($0)
        }
    }

    /// A client that shows a certificate, if it is given the name of one.
    private func client(
        _ port: UInt16, _ name: String?, session: OpaquePointer? = nil, version: Int32 = 0
    ) throws -> TLSClient {
        try TLSClient(
            port: port,
            .init(
                version: version, authority: certificates.certificate("ca"),
                certificate: name.map(certificates.certificate), key: name.map(certificates.key), session: session))
    }

    /// What the server reads of the client's certificate.
    private func expect(
        _ names: String, _ client: TLSClient, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        try client.send("GET /names HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try client.receiveAnswer().text == names, sourceLocation: sourceLocation)
    }

    private func expect(
        _ names: String, _ port: UInt16, _ name: String?, version: Int32 = 0,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        try expect(names, try client(port, name, version: version), sourceLocation: sourceLocation)
    }

    @Test(arguments: [
        ("/CN=edge-07", nil, "edge-07"),
        ("/O=site/CN=edge-07/CN=edge-08", nil, "edge-07 edge-08"),
        ("/O=site", "DNS:edge-09,DNS:edge-10.example.org", "edge-09 edge-10.example.org"),
        ("/O=site", "URI:spiffe://site/client/edge-11,URI:urn:client:edge-12", "edge-11 edge-12"),
        ("/CN=edge-07", "IP:127.0.0.1,email:edge-13@example.org,DNS:edge-09", "edge-07 edge-09"),
        ("/O=site", "URI:https://example.org/", ""),
    ])
    func `a certificate's names are read`(subject: String, alternatives: String?, expected: String) async throws {
        try certificates.make("client", subject: subject, alternatives: alternatives)
        try await serving(.required) { port in
            try expect(expected, port, "client")
        }
    }

    @Test func `a certificate is not asked for where none is wanted`() async throws {
        try certificates.make("client", subject: "/CN=edge-07")
        try await serving(.none) { port in
            try expect("none", port, "client")
        }
    }

    @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func `an optional certificate may be absent but not foreign`(version: Int32) async throws {
        try certificates.make("foreign", subject: "/CN=edge-07", authority: "other-ca")
        try await serving(.optional) { port in
            try expect("none", port, nil, version: version)
            #expect(throws: RawClient.Failure.self) { try expect("", port, "foreign", version: version) }
            try expect("none", port, nil, version: version)
        }
    }

    @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func `a required certificate may be neither absent nor foreign`(version: Int32) async throws {
        try certificates.make("foreign", subject: "/CN=edge-07", authority: "other-ca")
        try certificates.make("client", subject: "/CN=edge-07")
        try await serving(.required) { port in
            #expect(throws: RawClient.Failure.self) { try expect("", port, nil, version: version) }
            #expect(throws: RawClient.Failure.self) { try expect("", port, "foreign", version: version) }
            try expect("edge-07", port, "client", version: version)
        }
    }

    @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func `a session that is resumed keeps its certificate`(version: Int32) async throws {
        try certificates.make("client", subject: "/CN=edge-07")
        try await serving(.required) { port in
            let first = try client(port, "client", version: version)
            try expect("edge-07", first)
            let earlier = first.earlierSession()
            defer { SSL_SESSION_free(earlier) }
            let second = try client(port, "client", session: earlier, version: version)
            #expect(second.isResumed)
            try expect("edge-07", second)
        }
    }

    /// What is spoilt of sound settings, and the error that must name it.
    struct Fault: Sendable, CustomTestStringConvertible {
        let name: String
        let spoil: @Sendable (inout HTTPServer.TLS, Certificates) throws -> Void
        let expected: [String]

        var testDescription: String { name }
    }

    private static let faults: [Fault] = [
        Fault(
            name: "no certificate", spoil: { $0.certificate = $1.file("a") },
            expected: ["tls.certificate", "/a: No such file"]),
        Fault(
            name: "a certificate that is none", spoil: { $0.certificate = $1.key("server") },
            expected: ["tls.certificate", "server.key: holds no certificate in PEM: no start line"]),
        Fault(name: "no key", spoil: { $0.key = $1.file("b") }, expected: ["tls.key", "/b: No such file"]),
        Fault(
            name: "a key that is none", spoil: { $0.key = $1.certificate("ca") },
            expected: ["tls.key", "ca.pem: holds no key"]),
        Fault(
            name: "another certificate's key", spoil: { $0.key = $1.key("ca") },
            expected: ["tls.key", "ca.key: ", "key values mismatch"]),
        Fault(
            name: "a key under a passphrase",
            spoil: {
                try $1.lock("server", as: "locked")
                $0.key = $1.key("locked")
            }, expected: ["tls.key", "locked.key: holds no key without passphrase"]),
        Fault(name: "no client CA", spoil: { tls, _ in tls.clientCA = nil }, expected: ["tls.client_ca is missing"]),
        Fault(
            name: "a client CA that cannot be found", spoil: { $0.clientCA = $1.file("c") },
            expected: ["tls.client_ca", "/c: No such file"]),
        Fault(
            name: "a client CA that is none", spoil: { $0.clientCA = $1.key("ca") },
            expected: ["tls.client_ca", "ca.key: holds no certificate in PEM"]),
    ]

    @Test(arguments: faults)
    func `a start without sound files names the file and the reason`(fault: Fault) throws {
        var configuration = HTTPServer.Configuration.onAnyPort
        var tls = settings(.required)
        try fault.spoil(&tls, certificates)
        configuration.tls = tls
        let server = HTTPServer.forTest(configuration) { _ in }
        let error = #expect(throws: HTTPServerError.self) { try server.start() }
        let text = error?.description ?? ""
        for part in fault.expected { #expect(text.contains(part)) }
    }
}
