import ArgumentParser

/// The settings that have flags; a flag takes precedence over its variable and over the file.
struct ServerFlags: ParsableArguments {
    @Option(
        help: """
            HOST:PORT to listen on, or unix:PATH; port 0 picks one (default: 127.0.0.1:8080, or the socket that systemd hands \
            over).
            """)
    var listen: String?
    @Option(
        help: """
            The data folder, made if need be; one server owns it (default: data). Or postgresql://…, which several servers             share.
            """)
    var data: String?
    @Option(help: "With postgresql://…: where bytes are kept, s3://bucket/prefix.") var objects: String?
    @Option(help: "With postgresql://…: a local folder of this server alone (default: scratch).") var scratch: String?
    @Option(help: "With postgresql://…: serve, work or both (default: both).") var role: String?
    @Option(help: "The root whose federation this server serves as a region: http://HOST:PORT or https://HOST.")
    var upstream: String?
    @Option(help: ArgumentHelp("This region's name among the root's clients.", valueName: "name"))
    var upstreamName: String?
    @Option(help: ArgumentHelp("The root's federation.", valueName: "name"))
    var upstreamFederation: String?
    @Option(help: ArgumentHelp("The most clients of this region (default: 100).", valueName: "count"))
    var upstreamClients: String?
    @Option(help: ArgumentHelp("A file with a region token of the root; needed once.", valueName: "file"))
    var upstreamTokenFile: String?
    @Option(help: ArgumentHelp("The certificates (PEM) that the root's is signed by.", valueName: "file"))
    var upstreamCaFile: String?
    @Option(help: "tokens, or none: everybody is admin, on loopback only (default: tokens).") var auth: String?
    @Option(help: ArgumentHelp("Speak TLS under this certificate chain (PEM).", valueName: "file"))
    var tlsCertificate: String?
    @Option(help: ArgumentHelp("The certificate's private key (PEM, without passphrase).", valueName: "file"))
    var tlsKey: String?
    @Option(help: ArgumentHelp("The certificates that sign clients' certificates (PEM).", valueName: "file"))
    var tlsClientCa: String?
    @Option(
        help: ArgumentHelp(
            "Ask clients for certificates: none, optional or required (default: required with --tls-client-ca).",
            valueName: "choice"))
    var tlsClientCertificates: String?
    @Flag(help: "Serve plain HTTP even off loopback, where tokens can be read on the way.")
    var plainHTTP = false
}
