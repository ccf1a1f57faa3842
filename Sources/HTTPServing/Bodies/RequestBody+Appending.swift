import Dispatch

extension RequestBody {
    /// Streams the body to the end of a file that exists, at the speed of the slower of peer and disk.
    ///
    /// However the body ends, whatever of it came is in the file without a gap, and durable on return.
    /// - Parameters:
    ///   - offset: where the body begins; what the file holds beyond it goes first.
    ///   - limit: the length that the file may reach.
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

    /// Ends a body that has not come whole: once what is here of it is written, `append` fails with `stopped`. May be
    /// called from anywhere.
    package func stop() {
        exchange.shard.stop(exchange.id)
    }
}

extension Shard {
    /// More than what sockets hold; whoever sends on nevertheless is cut off.
    private static let bytesAfterStop = 8 << 20

    nonisolated func stop(_ id: RequestHandle.ID) {
        executor.queue.async {
            self.assumeIsolated { shard in
                guard let connection = shard.live(id), connection.current?.body.isComplete == false else { return }
                connection.current?.bytesUntilStop = Self.bytesAfterStop
                // Whether there is more, only the socket can tell now.
                connection.isReadable = true
                shard.advance(connection)
            }
        }
    }
}
