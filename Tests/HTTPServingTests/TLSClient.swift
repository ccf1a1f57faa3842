import COpenSSL
import Foundation

/// A peer on a raw socket that speaks TLS, with a say in every part of the handshake.
final class TLSClient: RawClient {
    struct Options {
        /// TLS1_2_VERSION and the like; 0 leaves the choice to the library.
        var version: Int32 = 0
        var authority: String?
        var certificate: String?
        var key: String?
        /// What ALPN offers, each with its length before it.
        var protocols: [UInt8] = []
        var suites: String?
        /// To resume.
        var session: OpaquePointer?
    }

    private let context: OpaquePointer
    private let session: OpaquePointer

    /// Shakes hands.
    init(port: UInt16, _ options: Options, receiveBuffer: Int32? = nil) throws {
        guard let context = SSL_CTX_new(TLS_client_method()), let session = Self.session(context, options) else {
            throw Failure(description: "OpenSSL has no memory")
        }
        self.context = context
        self.session = session
        try super.init(port: port, receiveBuffer: receiveBuffer)
        SSL_set_fd(session, descriptor)
        guard SSL_connect(session) == 1 else { throw Self.failure("SSL_connect") }
    }

    deinit {
        SSL_free(session)
        SSL_CTX_free(context)
    }

    private static func session(_ context: OpaquePointer, _ options: Options) -> OpaquePointer? {
        if options.version != 0 {
            SSL_CTX_set_security_level(context, 0)
            rankwise_ssl_set_least_version(context, options.version)
            SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(options.version), nil)
        }
        if let authority = options.authority {
            SSL_CTX_load_verify_locations(context, authority, nil)
            SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        }
        if let certificate = options.certificate, let key = options.key {
            SSL_CTX_use_certificate_chain_file(context, certificate)
            SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM)
        }
        if let suites = options.suites { SSL_CTX_set_cipher_list(context, suites) }
        if !options.protocols.isEmpty {
            SSL_CTX_set_alpn_protos(context, options.protocols, UInt32(options.protocols.count))
        }
        let session = SSL_new(context)
        if let earlier = options.session { SSL_set_session(session, earlier) }
        return session
    }

    override func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        ERR_clear_error()
        return Int(SSL_write(session, bytes.baseAddress, Int32(bytes.count)))
    }

    override func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        ERR_clear_error()
        let count = SSL_read(session, buffer.baseAddress, Int32(buffer.count))
        if count > 0 { return Int(count) }
        // Only a goodbye is an end: a connection cut off is a failure.
        return SSL_get_error(session, count) == SSL_ERROR_ZERO_RETURN ? 0 : -1
    }

    override func finishSending() {
        SSL_shutdown(session)
    }

    /// Ends the connection without the goodbye that TLS asks for.
    func cutOff() {
        super.finishSending()
    }

    /// Whether the server takes part in a second handshake.
    func renegotiates() -> Bool {
        SSL_renegotiate(session) == 1 && SSL_do_handshake(session) == 1
    }

    var version: String { String(cString: SSL_get_version(session)) }
    var isResumed: Bool { SSL_session_reused(session) == 1 }

    /// What a later client may resume; the caller frees it.
    func earlierSession() -> OpaquePointer? { SSL_get1_session(session) }

    var chosenProtocol: String {
        var name: UnsafePointer<UInt8>?
        var length: UInt32 = 0
        SSL_get0_alpn_selected(session, &name, &length)
        return String(decoding: UnsafeBufferPointer(start: name, count: Int(length)), as: UTF8.self)
    }

    private static func failure(_ call: String) -> Failure {
        let reason = ERR_reason_error_string(ERR_get_error()).map { String(cString: $0) } ?? "closed"
        ERR_clear_error()
        return Failure(description: "\(call): \(reason)")
    }
}
