import AdapterFormat
import Glibc

/// The empty files that a partial sum is written to: two, or one that also has the list of clients.
package struct PartialSumTarget: Sendable {
    /// The sum's descriptor; the caller syncs and closes it, and the next.
    package let sum: Int32
    /// The list of clients; nil where the sum's file has it.
    package let clients: Int32?

    package init(sum: Int32, clients: Int32? = nil) {
        self.sum = sum
        self.clients = clients
    }
}

/// Writes a list of clients in blocks, or keeps it for the sum's own file.
struct PartialClientListWriter {
    private let descriptor: Int32?
    private var collector = PartialClients.Collector()
    private var block: [UInt8] = []

    /// - Parameter descriptor: the list's own file; nil where the sum's file has the list.
    init(descriptor: Int32?) { self.descriptor = descriptor }

    /// The whole list, for the sum's file; nil where it has a file of its own.
    var kept: [UInt8]? { descriptor == nil ? block : nil }

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
        guard let descriptor else { return }
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
