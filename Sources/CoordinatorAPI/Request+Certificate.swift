import Federation
import HTTPServing

/// Binds clients to the certificates under which they call.
extension Request {
    /// Where the peer has shown a certificate, it must name the client for whom it calls.
    func requireCertificate(of client: ClientName) throws(CertificateMismatch) {
        guard let certificate, !certificate.names.contains(client.rawValue) else { return }
        throw CertificateMismatch(client: client, names: certificate.names.sorted())
    }
}

/// A call for a client over a connection whose certificate names others.
struct CertificateMismatch: Error {
    let client: ClientName
    let names: [String]
}
