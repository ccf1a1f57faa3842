import Federation
import HTTPServing

/// Binds clients to their certificates.
extension Request {
    /// Throws where the peer has shown a certificate that does not name the client.
    func requireCertificate(of client: ClientName) throws(CertificateMismatch) {
        guard let certificate, !certificate.names.contains(client.rawValue) else { return }
        throw CertificateMismatch(client: client, names: certificate.names.sorted())
    }
}

/// The connection's certificate does not name the client of the call.
struct CertificateMismatch: Error {
    let client: ClientName
    let names: [String]
}
