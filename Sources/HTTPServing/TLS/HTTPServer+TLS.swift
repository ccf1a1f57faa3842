extension HTTPServer {
    /// The configuration of TLS 1.2 and 1.3; all files are PEM.
    package struct TLS: Sendable, Hashable {
        /// Whether peers must show a certificate.
        package enum ClientCertificates: String, Sendable, Hashable, CaseIterable {
            /// Not requested.
            case none
            /// Requested; a certificate that is shown must be valid.
            case optional
            /// Required: no handshake without one.
            case required
        }

        /// The server's certificate, followed by those between it and the root.
        package var certificate: String
        /// The certificate's private key, without a passphrase.
        package var key: String
        /// The CA certificates that sign clients' certificates.
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
