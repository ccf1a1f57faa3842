import CoreMetrics
import Foundation
import Logging

/// Moves bytes between a connection and its socket, with or without TLS.
extension Shard {
    func receive(_ connection: Connection, into buffer: UnsafeMutableRawBufferPointer) -> Socket.Outcome {
        let outcome =
            connection.tls.map { $0.receive(into: buffer) } ?? Socket.receive(connection.descriptor, into: buffer)
        if case .moved(let count) = outcome { metrics?.received.increment(by: count) }
        return outcome
    }

    /// Sends both pieces as one, the second from an offset; with TLS at most one record.
    func send(
        _ connection: Connection, _ first: [UInt8], _ second: [UInt8], from offset: Int = 0, moreFollows: Bool = false
    ) -> Socket.Outcome {
        counted(move(connection, first, second, from: offset, moreFollows: moreFollows))
    }

    /// Sends from a file; with TLS at most one record.
    func send(_ connection: Connection, file: Int32, offset: Int, count: Int) -> Socket.Outcome {
        counted(move(connection, file: file, offset: offset, count: count))
    }

    /// Counts the bytes that were sent.
    private func counted(_ outcome: Socket.Outcome) -> Socket.Outcome {
        if case .moved(let count) = outcome { metrics?.sent.increment(by: count) }
        return outcome
    }

    private func move(
        _ connection: Connection, _ first: [UInt8], _ second: [UInt8], from offset: Int, moreFollows: Bool
    ) -> Socket.Outcome {
        guard let tls = connection.tls else {
            return Socket.send(connection.descriptor, first, second, from: offset, moreFollows: moreFollows)
        }
        let room = max(0, TLSSession.recordSize - first.count)
        let rest = second[min(offset, second.count)...].prefix(room)
        if first.isEmpty { return rest.withUnsafeBytes { tls.send($0) } }
        if rest.isEmpty { return first.withUnsafeBytes { tls.send($0) } }
        record.removeAll(keepingCapacity: true)
        record += first
        record += rest
        return record.withUnsafeBytes { tls.send($0) }
    }

    private func move(_ connection: Connection, file: Int32, offset: Int, count: Int) -> Socket.Outcome {
        guard let tls = connection.tls else {
            return Socket.send(connection.descriptor, file: file, offset: offset, count: count)
        }
        if record.count < TLSSession.recordSize { record = [UInt8](repeating: 0, count: TLSSession.recordSize) }
        let size = min(count, TLSSession.recordSize)
        return record.withUnsafeMutableBytes { buffer in
            let taken = pread(file, buffer.baseAddress, size, off_t(offset))
            guard taken > 0 else { return taken == 0 ? .moved(0) : .broken }
            return tls.send(UnsafeRawBufferPointer(rebasing: buffer[..<taken]))
        }
    }

    /// Logs for operators why TLS with a peer failed; OpenSSL tells the peer.
    func logFailure(_ connection: Connection) {
        guard let reason = connection.tls?.failure else { return }
        settings.logger.debug("TLS failed", metadata: ["peer": "\(connection.peer)", "reason": "\(reason)"])
    }
}
