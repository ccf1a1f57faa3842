import ArgumentParser
import HTTPFetching
import ServerCalls

/// The token and the certificates.
struct AccessOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A file that holds the token. Without it the token is taken from RANKWISE_TOKEN; it is never an argument, "
                + "for those show in the list of processes.", valueName: "path"))
    var tokenFile: String?

    @Option(
        help: ArgumentHelp(
            "The certificates (PEM) that the server's is signed by, instead of the system's; or RANKWISE_CA_FILE.",
            valueName: "file"))
    var caFile: String?

    @Option(
        help: ArgumentHelp(
            "This client's certificate (PEM), for a server that asks for one; or RANKWISE_CERTIFICATE.",
            valueName: "file"))
    var certificate: String?

    @Option(help: ArgumentHelp("The certificate's private key (PEM); or RANKWISE_KEY.", valueName: "file"))
    var key: String?

    /// A fetcher with the given certificates.
    ///
    /// - Parameter authorityText: the certificates that a kit brings for the server's.
    func fetcher(authorityText: String? = nil) throws -> HTTPFetcher {
        let tls = HTTPFetcher.TLS(
            authority: try Self.file(caFile, "--ca-file", "RANKWISE_CA_FILE"),
            authorityText: authorityText.map { Array($0.utf8) },
            certificate: try Self.file(certificate, "--certificate", "RANKWISE_CERTIFICATE"),
            key: try Self.file(key, "--key", "RANKWISE_KEY"))
        guard (tls.certificate == nil) == (tls.key == nil) else {
            throw ValidationError("--certificate and --key go together")
        }
        return try HTTPFetcher(tls: tls)
    }

    private static func file(_ flag: String?, _ name: String, _ variable: String) throws -> String? {
        do throws(AccessError) {
            return try AccessFiles.readable(flag, name, variable)
        } catch {
            throw ValidationError("\(error)")
        }
    }

    /// The token, if there is one.
    func token() throws -> String? {
        do throws(AccessError) {
            return try AccessFiles.token(file: tokenFile, variable: "RANKWISE_TOKEN")
        } catch {
            throw ValidationError("\(error)")
        }
    }
}
