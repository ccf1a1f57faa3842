import Dispatch

extension RequestBody {
    /// Streams the body to the end of an existing file, at the speed of the slower of peer and disk.
    ///
    /// However the body ends, all received bytes are in the file without a gap, and durable on return.
    /// - Parameters:
    ///   - offset: where the body begins; the file's contents after it are cut off first.
    ///   - limit: the largest length of the file.
    package func append(to path: String, at offset: Int, upTo limit: Int) async -> AppendedBody {
        let file = AppendingFile(path: path, offset: offset, lane: exchange.shard.settings.disk.next())
        do throws(RequestBodyError) {
            try await file.open()
            try await exchange.shard.writeBody(exchange.id, into: file, upTo: limit - offset)
            return await file.close(after: nil)
        } catch {
            return await file.close(after: error)
        }
    }

    /// Ends a body that is still incomplete: once its received bytes are written, `append` fails with `stopped`. May be
    /// called from anywhere.
    package func stop() {
        exchange.shard.stop(exchange.id)
    }
}

extension Shard {
    /// More than sockets buffer; a peer that sends more is disconnected.
    private static let bytesAfterStop = 8 << 20

    nonisolated func stop(_ id: RequestHandle.ID) {
        executor.queue.async {
            self.assumeIsolated { shard in
                guard let connection = shard.live(id), connection.current?.body.isComplete == false else { return }
                connection.current?.bytesUntilStop = Self.bytesAfterStop
                // Only the socket can tell now whether there is more.
                connection.isReadable = true
                shard.advance(connection)
            }
        }
    }
}
