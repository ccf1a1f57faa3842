import COpenSSL
import Foundation

/// The shared part of a server's TLS connections: certificate, key, and the requirements for peers.
///
/// `@unchecked`: OpenSSL counts references and locks internally; nothing is set after `init`.
final class TLSContext: @unchecked Sendable {
    /// Only suites with forward secrecy and authenticated encryption; TLS 1.3 has no others.
    private static let suitesBefore13 = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"
    private static let protocols: StaticString = "\u{8}http/1.1"
    let pointer: OpaquePointer

    init(_ settings: HTTPServer.TLS) throws(TLSError) {
        guard let pointer = SSL_CTX_new(TLS_server_method()) else { throw .library(reason: Self.reason()) }
        self.pointer = pointer
        ERR_clear_error()
        rankwise_ssl_set_mode(
            pointer,
            Int(SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS))
        rankwise_ssl_set_read_ahead(pointer, 1)
        // Tickets resume sessions; a session cache would grow with the peers.
        rankwise_ssl_set_session_cache(pointer, Int(SSL_SESS_CACHE_OFF))
        SSL_CTX_set_options(
            pointer, rankwise_ssl_no_renegotiation | rankwise_ssl_no_compression | rankwise_ssl_server_preference)
        let name = Array("rankwise".utf8)
        guard rankwise_ssl_set_least_version(pointer, TLS1_2_VERSION) == 1,
            SSL_CTX_set_cipher_list(pointer, Self.suitesBefore13) == 1,
            SSL_CTX_set_session_id_context(pointer, name, UInt32(name.count)) == 1
        else { throw .library(reason: Self.reason()) }
        SSL_CTX_set_alpn_select_cb(pointer, chooseProtocol, nil)
        // Without this, OpenSSL would ask the terminal for a passphrase.
        SSL_CTX_set_default_passwd_cb(pointer) { _, _, _, _ in -1 }
        try useCertificate(settings)
        try askPeers(settings)
    }

    deinit { SSL_CTX_free(pointer) }

    private func useCertificate(_ settings: HTTPServer.TLS) throws(TLSError) {
        if let reason = Self.unreadable(settings.certificate) {
            throw .certificate(path: settings.certificate, reason: reason)
        }
        guard SSL_CTX_use_certificate_chain_file(pointer, settings.certificate) == 1 else {
            throw .certificate(path: settings.certificate, reason: "holds no certificate in PEM: \(Self.reason())")
        }
        if let reason = Self.unreadable(settings.key) { throw .key(path: settings.key, reason: reason) }
        guard SSL_CTX_use_PrivateKey_file(pointer, settings.key, SSL_FILETYPE_PEM) == 1,
            SSL_CTX_check_private_key(pointer) == 1
        else {
            throw .key(
                path: settings.key,
                reason: "holds no key without passphrase in PEM that fits the certificate: \(Self.reason())")
        }
    }

    private func askPeers(_ settings: HTTPServer.TLS) throws(TLSError) {
        guard settings.clientCertificates != .none else { return }
        guard let path = settings.clientCA else { throw .clientCAMissing }
        if let reason = Self.unreadable(path) { throw .clientCA(path: path, reason: reason) }
        // The handshake sends these names to the peer, so that it can choose among its certificates.
        guard SSL_CTX_load_verify_locations(pointer, path, nil) == 1, let names = SSL_load_client_CA_file(path) else {
            throw .clientCA(path: path, reason: "holds no certificate in PEM: \(Self.reason())")
        }
        SSL_CTX_set_client_CA_list(pointer, names)
        let mode =
            settings.clientCertificates == .required
            ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_PEER
        SSL_CTX_set_verify(pointer, mode, nil)
    }

    /// Why a file cannot be read, as the system's message.
    private static func unreadable(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return String(cString: strerror(errno)) }
        close(descriptor)
        return nil
    }

    /// The first error on this thread, as OpenSSL's message.
    static func reason() -> String {
        let code = ERR_get_error()
        ERR_clear_error()
        return ERR_reason_error_string(code).map { String(cString: $0) } ?? "no reason given"
    }

    /// The only protocol of this server; peers that offer only others are refused.
    fileprivate static let offered = protocols
}

private let chooseProtocol: SSL_CTX_alpn_select_cb_func = { _, chosen, length, asked, askedLength, _ in
    let offered = TLSContext.offered
    var selected: UnsafeMutablePointer<UInt8>?
    let outcome = SSL_select_next_proto(
        &selected, length, offered.utf8Start, UInt32(offered.utf8CodeUnitCount), asked, askedLength)
    guard outcome == OPENSSL_NPN_NEGOTIATED else { return SSL_TLSEXT_ERR_ALERT_FATAL }
    chosen?.pointee = UnsafePointer(selected)
    return SSL_TLSEXT_ERR_OK
}
