import Dispatch
import Foundation
import Synchronization

/// Stands between a store and PostgreSQL, and can lose what the server answers.
final class Relay: Sendable {
    private struct State {
        /// How many answers still pass; nil for all. The one after the last is lost with its connection.
        var passing: Int?
        var lost = 0
    }

    let port: UInt16
    private let listener: Int32
    private let target: UInt16
    private let state = Mutex(State())

    /// - Parameter target: a port of 127.0.0.1.
    init(to target: UInt16) throws {
        self.target = target
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Self.address(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let port: UInt16? =
            withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                    guard bind(listener, pointer, length) == 0, listen(listener, 16) == 0,
                        getsockname(listener, pointer, &length) == 0
                    else { return false }
                    return true
                }
            } ? UInt16(bigEndian: address.sin_port) : nil
        guard let port else { throw CocoaError(.fileNoSuchFile) }
        self.listener = listener
        self.port = port
        DispatchQueue(label: "relay").async { [self] in accept() }
    }

    /// Lets `count` more answers pass and loses the next one, and with it the connection.
    func lose(after count: Int) { state.withLock { $0.passing = count } }
    var lostCount: Int { state.withLock { $0.lost } }
    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    private func accept() {
        while true {
            let client = Glibc.accept(listener, nil, nil)
            guard client >= 0 else { return }
            let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = Self.address(port: target)
            let isConnected = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                    connect(server, pointer, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
            guard isConnected else {
                close(client)
                continue
            }
            DispatchQueue(label: "relay.up").async { Self.copy(client, server) { true } }
            DispatchQueue(label: "relay.down").async { [self] in
                Self.copy(server, client) {
                    self.state.withLock { state in
                        guard let passing = state.passing else { return true }
                        guard passing == 0 else {
                            state.passing = passing - 1
                            return true
                        }
                        state.passing = nil
                        state.lost += 1
                        return false
                    }
                }
            }
        }
    }

    private static func copy(_ source: Int32, _ target: Int32, _ passes: () -> Bool) {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(source, &buffer, buffer.count)
            guard count > 0, passes() else { break }
            guard send(target, buffer, count, Int32(MSG_NOSIGNAL)) == count else { break }
        }
        shutdown(source, Int32(SHUT_RDWR))
        shutdown(target, Int32(SHUT_RDWR))
    }

    private static func address(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        return address
    }
}
