import Dispatch
import Foundation

/// A connection to a server on 127.0.0.1 whose bytes a test says one by one.
///
/// Blocking waits are kept off the threads that the server's handlers share.
final class RawPeer: Sendable {
    struct Failure: Error {
        let step: String
    }

    private let descriptor: Int32
    private let queue = DispatchQueue(label: "raw peer")

    init(_ url: String) throws {
        guard let colon = url.lastIndex(of: ":"), let port = UInt16(url[url.index(after: colon)...]) else {
            throw Failure(step: "reading \(url)")
        }
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        var patience = timeval(tv_sec: 300, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let connected = withUnsafeBytes(of: &address) {
            connect(descriptor, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
        }
        guard connected == 0 else { throw Failure(step: "connect") }
    }

    deinit { close(descriptor) }

    func send(_ bytes: [UInt8]) async throws {
        try await perform { descriptor in
            var sent = 0
            while sent < bytes.count {
                let count = bytes[sent...].withUnsafeBytes {
                    Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { throw Failure(step: "send") }
                sent += count
            }
        }
    }

    /// What the server sends up to and with `end`, or until it closes.
    func receive(through end: String? = nil) async throws -> String {
        try await perform { descriptor in
            var answer: [UInt8] = []
            var byte: UInt8 = 0
            while end.map({ answer.suffix($0.utf8.count).elementsEqual($0.utf8) }) != true {
                let count = recv(descriptor, &byte, 1, 0)
                guard count >= 0 else { throw Failure(step: "receive") }
                guard count > 0 else { break }
                answer.append(byte)
            }
            return String(decoding: answer, as: UTF8.self)
        }
    }

    /// Breaks the connection off.
    func breakOff() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    private func perform<Value: Sendable>(_ work: @escaping @Sendable (Int32) throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result { try work(self.descriptor) }) }
        }
    }
}
