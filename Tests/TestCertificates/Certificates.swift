import Foundation
import TestStage

/// An authority of the test's own, and what it has signed, made by the openssl command.
package final class Certificates: Sendable {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    private let folder: String

    package init() throws {
        folder = NSTemporaryDirectory() + "certificates-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for authority in ["ca", "other-ca"] {
            try openssl(
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=\(authority)", "-keyout", key(authority), "-out", certificate(authority))
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    package func certificate(_ name: String) -> String { file(name + ".pem") }
    package func key(_ name: String) -> String { file(name + ".key") }
    package func file(_ name: String) -> String { folder + "/" + name }

    /// A certificate for `localhost` and 127.0.0.1, and its key.
    package func makeServer() throws {
        try make("server", subject: "/CN=localhost", alternatives: "DNS:localhost,IP:127.0.0.1")
    }

    /// - Parameter alternatives: as OpenSSL writes them: `DNS:a,URI:b`.
    package func make(_ name: String, subject: String, alternatives: String? = nil, authority: String = "ca") throws {
        try openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject,
            "-keyout", key(name), "-out", file(name + ".csr"))
        let extensions = alternatives.map { "subjectAltName=\($0)\n" } ?? "basicConstraints=CA:FALSE\n"
        try Data(extensions.utf8).write(to: URL(fileURLWithPath: file(name + ".ext")))
        try openssl(
            "x509", "-req", "-days", "2", "-in", file(name + ".csr"), "-CA", certificate(authority), "-CAkey",
            key(authority), "-CAcreateserial", "-extfile", file(name + ".ext"), "-out", certificate(name))
    }

    /// The key again, under a passphrase.
    package func lock(_ name: String, as locked: String) throws {
        try openssl("ec", "-in", key(name), "-aes256", "-passout", "pass:secret", "-out", key(locked))
    }

    private func openssl(_ arguments: String...) throws {
        let command = try Program(["openssl"] + arguments, errors: .merged)
        let text = command.text()
        guard command.exitStatus() == 0 else { throw Failure(description: "openssl \(arguments): \(text)") }
    }
}
