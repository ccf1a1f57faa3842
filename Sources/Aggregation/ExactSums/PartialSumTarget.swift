import AdapterFormat
import Glibc

/// Two empty files that a partial sum is written to.
package struct PartialSumTarget: Sendable {
    /// The sum's descriptor; the caller syncs and closes it, and the next.
    package let sum: Int32
    /// The list of clients.
    package let clients: Int32

    package init(sum: Int32, clients: Int32) {
        self.sum = sum
        self.clients = clients
    }
}

/// Writes a list of clients in blocks.
struct PartialClientListWriter {
    private let descriptor: Int32
    private var collector = PartialClients.Collector()
    private var block: [UInt8] = []

    init(descriptor: Int32) { self.descriptor = descriptor }

    mutating func take(_ entry: PartialClients.Entry) throws(PartialSumError) {
        try collector.take(entry)
        block += Array(entry.line.utf8)
        if block.count >= 65_536 { try flush() }
    }

    mutating func finish() throws(PartialSumError) -> PartialClients {
        try flush()
        return try collector.finish()
    }

    private mutating func flush() throws(PartialSumError) {
        var written = 0
        while written < block.count {
            let count = block.withUnsafeBytes {
                write(descriptor, $0.baseAddress?.advanced(by: written), $0.count - written)
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw .system(.last("write"))
            }
            written += count
        }
        block.removeAll(keepingCapacity: true)
    }
}
