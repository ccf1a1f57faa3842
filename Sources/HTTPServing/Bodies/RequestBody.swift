import Foundation

/// A request's body. It stays in the socket until its handler reads it; the first read sends `100 Continue`.
package struct RequestBody: Sendable {
    /// The value of `Content-Length`, 0 without a body, nil for a chunked one.
    package let declaredLength: Int?
    let exchange: RequestHandle

    /// The number of bytes received so far.
    package var receivedBytes: Int { exchange.tally?.count ?? 0 }

    /// The next bytes, at most 64 KiB, as soon as some arrive.
    /// - Returns: nil at the end.
    package func next() async throws(RequestBodyError) -> [UInt8]? {
        try await exchange.shard.nextPiece(of: exchange.id)
    }

    /// The whole body in memory; memory grows with the received bytes, not with the declared length.
    package func collect(upTo limit: Int) async throws(RequestBodyError) -> [UInt8] {
        try checkDeclared(limit)
        var body: [UInt8] = []
        while let piece = try await next() {
            guard piece.count <= limit - body.count else { throw .tooLong(limit: limit) }
            if body.isEmpty { body = piece } else { body += piece }
        }
        return body
    }

    /// Streams the body into a new file with a running SHA-256, at the speed of the slower of peer and disk.
    ///
    /// The file is made exclusively, with mode 0600. On any failure it is unlinked before the reason is thrown.
    /// - Parameters:
    ///   - durably: whether the file's bytes are on the disk on return (its directory entry is the caller's).
    ///   - watch: called with all bytes as they come, in order, one call at a time.
    package func save(
        to path: String, upTo limit: Int, durably: Bool = false,
        watch: (@Sendable (UnsafeRawBufferPointer) -> Void)? = nil
    ) async throws(RequestBodyError) -> SavedBody {
        try checkDeclared(limit)
        let file = BodyFile(path: path, lane: exchange.shard.settings.disk.next(), watch: watch)
        try await file.create()
        do {
            try await exchange.shard.writeBody(exchange.id, into: file, upTo: limit)
            return try await file.finish(durably: durably)
        } catch {
            await file.discard()
            throw error
        }
    }

    private func checkDeclared(_ limit: Int) throws(RequestBodyError) {
        if let declaredLength, declaredLength > limit { throw .tooLong(limit: limit) }
    }
}

/// The result of `RequestBody.save`.
package struct SavedBody: Sendable, Hashable {
    package let byteCount: Int
    /// 32 bytes.
    package let sha256: [UInt8]
}
