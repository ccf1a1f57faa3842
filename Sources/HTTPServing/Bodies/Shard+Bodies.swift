import Foundation

/// Moves request bodies from the socket to their reader, no faster than the reader asks.
extension Shard {
    private static let pieceSize = 64 << 10
    private static let blocksOfFileWrite = 4

    private enum Pull {
        case piece([UInt8])
        case end
        case wouldBlock
        case failed(RequestBodyError)
    }

    func nextPiece(of id: RequestHandle.ID) async throws(RequestBodyError) -> [UInt8]? {
        let result = await withCheckedContinuation { continuation in
            read(id, by: .piece(continuation))
        }
        return try result.get()
    }

    /// Moves the remaining body into a file.
    func writeBody(_ id: RequestHandle.ID, into file: any BodySink, upTo limit: Int) async throws(RequestBodyError) {
        let result = await withCheckedContinuation { continuation in
            read(id, by: .fileWrite(FileWrite(file: file, limit: limit, continuation: continuation)))
        }
        try result.get()
    }

    /// Serves a reader, or reports why it cannot.
    private func read(_ id: RequestHandle.ID, by reader: BodyReader) {
        do throws(RequestBodyError) {
            let connection = try reading(id)
            connection.current?.reader = reader
            pump(connection)
        } catch {
            reader.fail(error)
        }
    }

    private func reading(_ id: RequestHandle.ID) throws(RequestBodyError) -> Connection {
        guard let connection = live(id), let current = connection.current else { throw .peerGone }
        if let error = current.bodyError { throw error }
        guard current.reader == nil else { throw .alreadyRead }
        if current.awaitsContinue {
            connection.current?.awaitsContinue = false
            if connection.backlogCount == 0, !current.body.isComplete { sendContinue(connection) }
            guard connection.phase == .handling else { throw .peerGone }
        }
        return connection
    }

    private func sendContinue(_ connection: Connection) {
        scratch.removeAll(keepingCapacity: true)
        ResponseHead.continueLine.withUTF8Buffer { scratch.append(contentsOf: $0) }
        // The socket's send buffer is otherwise empty, so a partial write means that the peer reads nothing at all.
        guard case .moved(let count) = send(connection, scratch, []), count == scratch.count else {
            return hangUp(connection)
        }
    }

    /// Serves the body's reader, if there is one, from the received bytes.
    func pump(_ connection: Connection) {
        guard let reader = connection.current?.reader else { return }
        switch reader {
        case .piece(let continuation):
            let result: Result<[UInt8]?, RequestBodyError>
            switch pull(connection) {
            case .wouldBlock: return beginWaiting(connection)
            case .piece(let bytes): result = .success(bytes)
            case .end: result = .success(nil)
            case .failed(let error): return fail(connection, error)
            }
            connection.current?.reader = nil
            continuation.resume(returning: result)
        case .fileWrite(let fileWrite):
            pump(connection, fileWrite)
        }
    }

    private func pull(_ connection: Connection) -> Pull {
        while var body = connection.current?.body {
            if body.isComplete { return .end }
            do throws(HTTPParseError) {
                let piece: [UInt8]
                if connection.backlogCount > 0 {
                    let start = connection.backlogStart
                    let payload = try decodeBacklog(connection, &body)
                    piece = Array(connection.backlog[start..<start + payload])
                    if connection.backlogCount == 0 { connection.dropBacklog() }
                } else {
                    guard let count = receive(connection, upTo: body.readSize(upTo: Self.pieceSize)) else {
                        return connection.phase == .closed ? .failed(.peerGone) : .wouldBlock
                    }
                    guard count > 0 else { return .failed(.peerGone) }
                    var bytes = readBuffer.mutableSpan
                    let progress = try body.decode(&bytes, in: 0..<count)
                    piece = Array(readBuffer[..<progress.payload])
                    if progress.consumed < count {
                        connection.backlog = Array(readBuffer[progress.consumed..<count])
                        connection.backlogStart = 0
                    }
                }
                connection.current?.body = body
                if let error = count(connection, piece.count, limit: settings.limits.bodyBytes) {
                    return .failed(error)
                }
                if !piece.isEmpty { return .piece(piece) }
            } catch {
                return .failed(.malformed(error))
            }
        }
        return .failed(.peerGone)
    }

    /// - Returns: how many payload bytes are now at the old start of the backlog.
    func decodeBacklog(_ connection: Connection, _ body: inout BodyDecoder) throws(HTTPParseError) -> Int {
        var backlog = connection.backlog
        // Restored below; so the decoder works in place and not in a copy.
        connection.backlog = []
        defer { connection.backlog = backlog }
        let range = connection.backlogStart..<backlog.count
        var bytes = backlog.mutableSpan
        let progress = try body.decode(&bytes, in: range)
        connection.backlogStart += progress.consumed
        return progress.payload
    }

    private func count(_ connection: Connection, _ payload: Int, limit: Int) -> RequestBodyError? {
        endWaiting(connection)
        connection.current?.rateBytes += payload
        connection.current?.bodyBytes += payload
        connection.current?.tally?.add(payload)
        guard let current = connection.current else { return nil }
        guard current.bodyBytes <= limit else { return .tooLong(limit: limit) }
        if current.isUnsized {
            guard settings.bodies.grow(by: payload) else {
                return .overloaded(retryAfter: settings.limits.retryAfterSeconds)
            }
            bodyCharges[RequestHandle.ID(connection: connection.key, serial: connection.serial)]?.bytes += payload
        }
        guard let rest = current.bytesUntilStop else { return nil }
        connection.current?.bytesUntilStop = rest - payload
        return payload > rest ? .stopped : nil
    }

    /// Releases a body's place in flight.
    func endBody(_ id: RequestHandle.ID) {
        guard let charge = bodyCharges.removeValue(forKey: id) else { return }
        settings.bodies.release(charge.bytes, from: charge.origin)
    }

    /// Fills blocks as long as bytes arrive and few blocks are in progress.
    private func pump(_ connection: Connection, _ started: FileWrite) {
        var fileWrite = started
        while var body = connection.current?.body {
            if body.isComplete {
                guard fileWrite.blocksUnderWay == 0 else { return }
                connection.current?.reader = nil
                fileWrite.continuation.resume(returning: .success(()))
                return
            }
            guard fileWrite.blocksUnderWay < Self.blocksOfFileWrite else { return }
            guard connection.backlogCount > 0 || connection.isReadable else {
                if connection.current?.bytesUntilStop != nil { return fail(connection, .stopped) }
                return beginWaiting(connection)
            }
            guard let block = blocks.take() else {
                awaitingBuffer.append(connection.key)
                return
            }
            let filled = fill(block, connection, &body)
            let payload: Int
            switch filled {
            case .success(let count) where count > 0: payload = count
            case .success:
                blocks.put(block)
                endWaiting(connection)
                continue
            case .failure(let error):
                blocks.put(block)
                return fail(connection, error)
            }
            let limit = min(fileWrite.limit, settings.limits.bodyBytes)
            if let error = count(connection, payload, limit: limit) {
                blocks.put(block)
                return fail(connection, error)
            }
            fileWrite.blocksUnderWay += 1
            connection.current?.reader = .fileWrite(fileWrite)
            write(
                block, payload, fileWrite.file, RequestHandle.ID(connection: connection.key, serial: connection.serial))
            if payload == block.bytes.count { return makeReady(connection) }
        }
    }

    /// - Returns: the payload bytes in the block now; 0 where only framing or nothing arrived.
    private func fill(
        _ block: MappedBuffer, _ connection: Connection, _ body: inout BodyDecoder
    ) -> Result<Int, RequestBodyError> {
        do throws(HTTPParseError) {
            let payload: Int
            if connection.backlogCount > 0 {
                let start = connection.backlogStart
                payload = try decodeBacklog(connection, &body)
                connection.backlog.withUnsafeBytes {
                    block.bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[start..<start + payload]))
                }
                if connection.backlogCount == 0 { connection.dropBacklog() }
            } else {
                let size = body.readSize(upTo: block.bytes.count)
                let target = UnsafeMutableRawBufferPointer(rebasing: block.bytes[..<size])
                let outcome = receive(connection, into: target)
                guard let count = account(outcome, of: size, connection) else {
                    return connection.phase == .closed ? .failure(.peerGone) : .success(0)
                }
                guard count > 0 else { return .failure(.peerGone) }
                var bytes = block.bytes.bindMemory(to: UInt8.self).mutableSpan
                let progress = try body.decode(&bytes, in: 0..<count)
                payload = progress.payload
                if progress.consumed < count {
                    connection.backlog = Array(block.bytes[progress.consumed..<count])
                    connection.backlogStart = 0
                }
            }
            connection.current?.body = body
            return .success(payload)
        } catch {
            return .failure(.malformed(error))
        }
    }

    private nonisolated func write(_ block: MappedBuffer, _ count: Int, _ file: any BodySink, _ id: RequestHandle.ID) {
        file.executor.queue.async {
            let error = file.take(block, count)
            self.executor.queue.async { self.assumeIsolated { $0.written(block, id, error) } }
        }
    }

    /// Takes a block back from the disk lane.
    private func written(_ block: MappedBuffer, _ id: RequestHandle.ID, _ error: RequestBodyError?) {
        tick()
        blocks.put(block)
        if let connection = live(id), case .fileWrite(var fileWrite) = connection.current?.reader {
            fileWrite.blocksUnderWay -= 1
            connection.current?.reader = .fileWrite(fileWrite)
            if let error {
                fail(connection, error)
            } else {
                advance(connection)
            }
        }
        feedStarved()
    }

    /// Advances the connections that waited for a block, in their order, as long as there are blocks.
    func feedStarved() {
        for _ in 0..<awaitingBuffer.count {
            guard blocks.hasRoom else { return }
            if let connection = connections[awaitingBuffer.removeFirst()] { advance(connection) }
        }
    }

    /// Ends the body for good; the connection closes after the answer.
    func fail(_ connection: Connection, _ error: RequestBodyError) {
        connection.current?.bodyError = error
        let reader = connection.current?.reader
        connection.current?.reader = nil
        reader?.fail(error)
    }

    private func beginWaiting(_ connection: Connection) {
        if connection.current?.waitsSince == nil { connection.current?.waitsSince = now }
    }

    private func endWaiting(_ connection: Connection) {
        guard let since = connection.current?.waitsSince else { return }
        connection.current?.rateWaited &+= now &- since
        connection.current?.waitsSince = nil
    }
}
