import ArgumentParser
import DurableFiles
import Foundation
import HTTPFetching

/// The server, the federation and the token.
struct ServerOptions: ParsableArguments {
    @Argument(help: "The server, such as http://10.0.0.5:8080.")
    var url: String

    @Option(help: ArgumentHelp("The federation.", valueName: "name"))
    var federation: String

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

    mutating func validate() throws {
        while url.hasSuffix("/") { url.removeLast() }
        guard let parts = URLComponents(string: url), let scheme = parts.scheme?.lowercased(),
            scheme == "http" || scheme == "https", parts.host?.isEmpty == false, parts.query == nil,
            parts.fragment == nil, parts.user == nil
        else {
            throw ValidationError("'\(url)' is not a server's address; expected http://HOST:PORT or https://HOST")
        }
        try Self.check(name: federation, of: "--federation")
    }

    static func check(name: String, of option: String) throws {
        guard name.wholeMatch(of: /[a-z0-9][a-z0-9._-]{0,63}/) != nil else {
            throw ValidationError(
                "\(option) is '\(name)'; expected 1 to 64 of a-z, 0-9, '.', '_' and '-', the first a letter or digit")
        }
    }

    /// A fetcher with the given certificates.
    func fetcher() throws -> HTTPFetcher {
        let tls = HTTPFetcher.TLS(
            authority: try Self.file(caFile, "--ca-file", "RANKWISE_CA_FILE"),
            certificate: try Self.file(certificate, "--certificate", "RANKWISE_CERTIFICATE"),
            key: try Self.file(key, "--key", "RANKWISE_KEY"))
        guard (tls.certificate == nil) == (tls.key == nil) else {
            throw ValidationError("--certificate and --key go together")
        }
        return try HTTPFetcher(tls: tls)
    }

    private static func file(_ flag: String?, _ name: String, _ variable: String) throws -> String? {
        guard let path = flag ?? ProcessInfo.processInfo.environment[variable] else { return nil }
        guard FileManager.default.isReadableFile(atPath: path) else {
            throw ValidationError("\(flag == nil ? variable : name) is \(path), which cannot be read")
        }
        return path
    }

    /// The token, if there is one.
    func token() throws -> String? {
        let text: String?
        if let tokenFile {
            // Also from a pipe, as a shell's <(…) is.
            guard let bytes = try? OwnedFile(tokenFile, for: .reading).contents(),
                let contents = String(validating: bytes, as: UTF8.self)
            else { throw ValidationError("the token file \(tokenFile) cannot be read") }
            text = contents
        } else {
            text = ProcessInfo.processInfo.environment["RANKWISE_TOKEN"]
        }
        guard let token = text?.trimmingCharacters(in: .whitespacesAndNewlines), !token.isEmpty else { return nil }
        guard token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw ValidationError("the token holds characters that no token has")
        }
        return token
    }
}
