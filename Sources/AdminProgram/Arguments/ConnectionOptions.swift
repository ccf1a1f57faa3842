import ArgumentParser
import Foundation
import HTTPFetching
import ServerCalls

/// The server, the token and the certificates.
struct ConnectionOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The server, such as https://HOST or http://127.0.0.1:8080; or RANKWISE_SERVER.", valueName: "url"))
    var server: String?

    @Option(
        help: ArgumentHelp(
            "A file that holds the token. Without it the token is taken from RANKWISE_ADMIN_TOKEN; it is never an "
                + "argument, for those show in the list of processes.", valueName: "path"))
    var tokenFile: String?

    @Option(
        name: [.customLong("ca-file"), .customLong("ca")],
        help: ArgumentHelp(
            "The certificates (PEM) that the server's is signed by, instead of the system's; or RANKWISE_CA_FILE.",
            valueName: "file"))
    var caFile: String?

    @Option(
        help: ArgumentHelp(
            "A certificate (PEM) of the operator's own, for a server that asks for one; or RANKWISE_CERTIFICATE.",
            valueName: "file"))
    var certificate: String?

    @Option(help: ArgumentHelp("The certificate's private key (PEM); or RANKWISE_KEY.", valueName: "file"))
    var key: String?

    /// The address that a flag or the environment gives.
    func address() throws -> ServerAddress {
        guard let text = server ?? ProcessInfo.processInfo.environment["RANKWISE_SERVER"], !text.isEmpty else {
            throw ValidationError("no server is named; give --server URL or set RANKWISE_SERVER")
        }
        do throws(AccessError) {
            return try ServerAddress(text)
        } catch {
            throw ValidationError("\(server == nil ? "RANKWISE_SERVER" : "--server"): \(error)")
        }
    }

    /// The file with the authority's certificates; nil for the system's.
    func authority() throws(AdminError) -> String? { try file(caFile, "--ca-file", "RANKWISE_CA_FILE") }

    /// The calls of the server under the given token and certificates.
    func api() throws -> AdminAPI {
        let address = try address()
        let tls = HTTPFetcher.TLS(
            authority: try authority(), certificate: try file(certificate, "--certificate", "RANKWISE_CERTIFICATE"),
            key: try file(key, "--key", "RANKWISE_KEY"))
        guard (tls.certificate == nil) == (tls.key == nil) else {
            throw ValidationError("--certificate and --key go together")
        }
        let token: String?
        do throws(AccessError) {
            token = try AccessFiles.token(file: tokenFile, variable: "RANKWISE_ADMIN_TOKEN")
        } catch {
            throw AdminError.file("\(error)")
        }
        return AdminAPI(address: address, token: token, fetcher: try HTTPFetcher(tls: tls))
    }

    private func file(_ flag: String?, _ name: String, _ variable: String) throws(AdminError) -> String? {
        do throws(AccessError) {
            return try AccessFiles.readable(flag, name, variable)
        } catch {
            throw .file("\(error)")
        }
    }
}
