import COpenSSL
import Foundation

/// One connection's TLS over a non-blocking socket; the handshake is part of the first read or write.
///
/// - Invariant: confined to the shard of its connection.
final class TLSSession {
    /// The largest payload of one record.
    static let recordSize = 16 << 10

    private let pointer: OpaquePointer
    /// Whether the peer has closed its sending side.
    private(set) var hasEnded = false
    /// Why the session broke; it can send nothing more.
    private(set) var failure: String?
    /// Whether reading gives the end or a failure, about which the socket will report nothing more.
    var isOver: Bool { hasEnded || failure != nil }
    /// Whether the peer began with a request in plain HTTP.
    private(set) var cameInPlain = false
    private var saidGoodbye = false
    /// The peer's verified certificate; nil without one. Read it after the handshake.
    private(set) lazy var certificate = PeerCertificate(of: pointer)

    /// - Returns: nil when there is no memory.
    init?(_ context: TLSContext, descriptor: Int32) {
        guard let pointer = SSL_new(context.pointer) else { return nil }
        guard SSL_set_fd(pointer, descriptor) == 1 else {
            SSL_free(pointer)
            return nil
        }
        SSL_set_accept_state(pointer)
        self.pointer = pointer
    }

    deinit { SSL_free(pointer) }

    /// Fills the buffer with available bytes. Fewer than asked for mean that the socket has no more for now, or
    /// `hasEnded`.
    func receive(into buffer: UnsafeMutableRawBufferPointer) -> Socket.Outcome {
        guard failure == nil else { return .broken }
        var total = 0
        while total < buffer.count, !hasEnded {
            ERR_clear_error()
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[total...])
            let count = SSL_read(pointer, rest.baseAddress, Int32(clamping: rest.count))
            if count > 0 {
                total += Int(count)
                continue
            }
            switch SSL_get_error(pointer, count) {
            case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return total > 0 ? .moved(total) : .wouldBlock
            case SSL_ERROR_ZERO_RETURN: hasEnded = true
            default:
                failure = TLSContext.reason()
                cameInPlain = failure == "http request"
                return total > 0 ? .moved(total) : .broken
            }
        }
        return .moved(total)
    }

    /// Sends at most one record. After `wouldBlock` the caller must offer the same bytes again, and at least as many.
    func send(_ bytes: UnsafeRawBufferPointer) -> Socket.Outcome {
        guard failure == nil else { return .broken }
        guard !bytes.isEmpty else { return .moved(0) }
        ERR_clear_error()
        let count = SSL_write(pointer, bytes.baseAddress, Int32(clamping: min(bytes.count, Self.recordSize)))
        if count > 0 { return .moved(Int(count)) }
        switch SSL_get_error(pointer, count) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .wouldBlock
        default:
            failure = TLSContext.reason()
            return .broken
        }
    }

    /// Tells the peer that nothing more follows, so that it can tell this end from a broken connection.
    func sayGoodbye() {
        guard !saidGoodbye, failure == nil, SSL_is_init_finished(pointer) == 1 else { return }
        saidGoodbye = true
        ERR_clear_error()
        SSL_shutdown(pointer)
    }
}
