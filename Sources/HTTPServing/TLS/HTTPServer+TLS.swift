extension HTTPServer {
    /// How a server speaks TLS 1.2 and 1.3; all files are PEM.
    package struct TLS: Sendable, Hashable {
        /// What is asked of a peer beside its requests.
        package enum ClientCertificates: String, Sendable, Hashable, CaseIterable {
            /// Not asked for.
            case none
            /// Asked for; one that is shown must be good.
            case optional
            /// No handshake without one.
            case required
        }

        /// The server's certificate, and after it those between it and the root.
        package var certificate: String
        /// The certificate's private key, without a passphrase.
        package var key: String
        /// The certificates by which clients' certificates are signed.
        package var clientCA: String?
        package var clientCertificates: ClientCertificates

        package init(
            certificate: String, key: String, clientCA: String? = nil,
            clientCertificates: ClientCertificates = .none
        ) {
            self.certificate = certificate
            self.key = key
            self.clientCA = clientCA
            self.clientCertificates = clientCertificates
        }
    }
}
