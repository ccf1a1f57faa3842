import CLinux
import Foundation
import HTTPTypes
import Logging

/// Advances a connection through its phases, and starts the handlers of its requests.
extension Shard {
    private static let requestsPerTurn = 32
    private static let headReadSize = 16 << 10

    /// Does all that the connection's phase and its socket allow now.
    func advance(_ connection: Connection) {
        // A synchronous answer calls this again; the outer call then continues.
        guard !connection.isAdvancing else { return }
        connection.isAdvancing = true
        defer { connection.isAdvancing = false }
        var requests = 0
        while true {
            switch connection.phase {
            case .head:
                guard requests < Self.requestsPerTurn else { return makeReady(connection) }
                guard readHead(connection) else { return }
                requests += 1
            case .handling:
                pump(connection)
                if connection.phase == .handling { return }
            case .writing:
                guard flush(connection) else { return }
            case .lingering:
                return drain(connection)
            case .closed:
                return
            }
        }
    }

    /// - Returns: false where nothing more is possible before the next event.
    private func readHead(_ connection: Connection) -> Bool {
        let wasIdle = connection.parser.isIdle
        let progress: RequestHeadParser.Progress
        do throws(RequestFailure) {
            if connection.backlogCount > 0 {
                progress = try parseBacklog(connection)
                if case .complete(_, let consumed) = progress {
                    connection.backlogStart += consumed
                    if connection.backlogCount == 0 { connection.dropBacklog() }
                } else {
                    connection.dropBacklog()
                }
            } else {
                guard let count = receive(connection, upTo: Self.headReadSize) else { return false }
                guard count > 0 else {
                    hangUp(connection)
                    return false
                }
                progress = try connection.parser.consume(readBuffer.span.extracting(..<count), limits: settings.limits)
                if case .complete(_, let consumed) = progress, consumed < count {
                    connection.backlog = Array(readBuffer[consumed..<count])
                    connection.backlogStart = 0
                }
            }
        } catch {
            refuse(connection, error)
            return true
        }
        switch progress {
        case .complete(let head, _): begin(connection, head)
        case .incomplete: if wasIdle { connection.deadline = now &+ timings.timeToHeaders }
        }
        return true
    }

    private func parseBacklog(_ connection: Connection) throws(RequestFailure) -> RequestHeadParser.Progress {
        // A view into the connection's own property would block changes to it.
        let backlog = connection.backlog
        let bytes = backlog.span.extracting(connection.backlogStart...)
        return try connection.parser.consume(bytes, limits: settings.limits)
    }

    /// Reads into the shard's buffer.
    /// - Returns: nil when there is nothing to read now or the connection broke, 0 when the peer has closed.
    func receive(_ connection: Connection, upTo most: Int) -> Int? {
        guard connection.isReadable else { return nil }
        let size = min(most, readBuffer.count)
        let outcome = readBuffer.withUnsafeMutableBytes {
            receive(connection, into: UnsafeMutableRawBufferPointer(rebasing: $0[..<size]))
        }
        return account(outcome, of: size, connection)
    }

    /// Sets, from the outcome of a read, whether another read may succeed.
    func account(_ outcome: Socket.Outcome, of size: Int, _ connection: Connection) -> Int? {
        switch outcome {
        case .moved(let count):
            // A short read has emptied the socket. But epoll reports the peer's end only once, and the socket then
            // stays readable until the end is read.
            if count < size, !connection.peerFinished, connection.tls?.isOver != true {
                connection.isReadable = false
            }
            if count == 0 {
                connection.isReadable = false
                connection.peerFinished = true
            }
            return count
        case .wouldBlock:
            connection.isReadable = false
            return nil
        case .broken:
            logFailure(connection)
            answerPlainHTTP(connection)
            hangUp(connection)
            return nil
        }
    }

    /// Answers a peer that uses plain HTTP on a TLS port. Otherwise it would see the connection end without a reason.
    private func answerPlainHTTP(_ connection: Connection) {
        guard connection.tls?.cameInPlain == true else { return }
        let text = "this port speaks HTTPS; expected https:// before the address\n"
        let answer =
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: \(text.utf8.count)\r\n"
            + "Connection: close\r\n\r\n" + text
        // Unread bytes at close would make the kernel discard the answer.
        _ = readBuffer.withUnsafeMutableBytes { Socket.receive(connection.descriptor, into: $0) }
        _ = Socket.send(connection.descriptor, Array(answer.utf8), [])
        shutdown(connection.descriptor, Int32(SHUT_WR))
    }

    private func begin(_ connection: Connection, _ head: RequestHead) {
        connection.serial &+= 1
        connection.phase = .handling
        connection.deadline = .max
        connection.current = CurrentRequest(
            isHead: head.method == .head, isVersion10: head.isVersion10, keepsAlive: head.keepsAlive,
            awaitsContinue: head.expectation == .continue && head.framing != .none,
            body: BodyDecoder(head.framing, limits: settings.limits), isUnsized: head.framing == .chunked)
        let match: Router.Match
        do throws(RequestFailure) {
            match = try route(head)
        } catch {
            if case .methodNotAllowed = error, head.method == .options {
                respond(connection, Response(status: .noContent, headerFields: error.requiredFields))
            } else {
                respond(connection, render(error))
            }
            return
        }
        connection.current?.route = match.number
        connection.current?.beganAt = now
        let tally = head.framing == .none ? nil : BodyTally()
        connection.current?.tally = tally
        let exchange = RequestHandle(
            id: RequestHandle.ID(connection: connection.key, serial: connection.serial), shard: self, tally: tally)
        let length: Int? =
            switch head.framing {
            case .none: 0
            case .sized(let length): length
            case .chunked: nil
            }
        let origin = settings.proxies.origin(of: connection.peer, head.headerFields)
        if length != 0 {
            guard settings.bodies.admit(length ?? 0, from: origin) else {
                return respond(connection, render(.overloaded(retryAfter: settings.limits.retryAfterSeconds)))
            }
            bodyCharges[exchange.id] = (length ?? 0, origin)
        }
        let request = Request(
            method: head.method, path: head.target.path, parameters: match.parameters, query: head.target.query,
            headerFields: head.headerFields, body: RequestBody(declaredLength: length, exchange: exchange),
            origin: origin, certificate: connection.tls?.certificate, exchange: exchange)
        handlersUnderWay += 1
        let task = launch(match, request)
        guard connection.serial == exchange.id.serial, connection.phase == .handling else { return }
        connection.current?.task = task
        if isDraining, connection.current?.isParked == true { task.cancel() }
    }

    private func route(_ head: RequestHead) throws(RequestFailure) -> Router.Match {
        guard head.expectation != .unknown else { throw .expectationFailed }
        if case .sized(let length) = head.framing, length > settings.limits.bodyBytes {
            throw .contentTooLarge(limit: settings.limits.bodyBytes)
        }
        if head.target.isServerWide { throw .methodNotAllowed(allow: [.get, .head, .options]) }
        return try settings.router.match(head.method, head.target)
    }

    /// The bridge to async handlers: the handler starts at once on this shard's thread, and always resumes on this
    /// shard's queue.
    private nonisolated func launch(_ match: Router.Match, _ request: Request) -> Task<Void, Never> {
        Task.immediate(executorPreference: executor) {
            let response = await self.answer(match, request)
            self.deliver(response, request)
        }
    }

    /// Needs no hop: a task that prefers this shard's executor is on its queue.
    private nonisolated func deliver(_ response: Response?, _ request: Request) {
        assumeIsolated { shard in
            if request.body.declaredLength != 0 { shard.endBody(request.exchange.id) }
            shard.finish(request.exchange.id, response)
        }
    }

    /// - Returns: nil where no peer is left.
    private nonisolated func answer(_ match: Router.Match, _ request: Request) async -> Response? {
        do {
            return try await match.handler(request)
        } catch let failure as RequestFailure {
            return render(failure)
        } catch let error as RequestBodyError {
            guard let failure = RequestFailure(error) else { return nil }
            if failure == .internal { log(error, match, request) }
            return render(failure)
        } catch is CancellationError {
            return render(.overloaded(retryAfter: settings.limits.retryAfterSeconds))
        } catch {
            log(error, match, request)
            return render(.internal)
        }
    }

    private nonisolated func log(_ error: any Error, _ match: Router.Match, _ request: Request) {
        settings.logger.error(
            "a handler failed",
            metadata: [
                "method": "\(request.method.rawValue)", "route": "\(match.pattern)", "peer": "\(request.origin)",
                "error": "\(error)",
            ])
    }

    nonisolated func render(_ failure: RequestFailure) -> Response {
        var response = settings.renderFailure(failure)
        for field in failure.requiredFields where !response.headerFields.contains(field.name) {
            response.headerFields.append(field)
        }
        return response
    }

    private func finish(_ id: RequestHandle.ID, _ response: Response?) {
        handlersUnderWay -= 1
        defer { resumeIfDrained() }
        guard let connection = live(id) else { return }
        guard let response else { return hangUp(connection) }
        respond(connection, response)
        advance(connection)
    }

    /// The connection, as long as this request is open on it.
    func live(_ id: RequestHandle.ID) -> Connection? {
        guard let connection = connections[id.connection], connection.serial == id.serial,
            connection.phase == .handling
        else { return nil }
        return connection
    }

    func park(_ id: RequestHandle.ID) {
        guard let connection = live(id) else {
            // The peer has already left, so nobody needs the handler's wait.
            withUnsafeCurrentTask { $0?.cancel() }
            return
        }
        connection.current?.isParked = true
        connection.current?.beganAt = nil
        if isDraining || connection.peerFinished { withUnsafeCurrentTask { $0?.cancel() } }
    }

    nonisolated func end(_ id: RequestHandle.ID) {
        executor.queue.async {
            self.assumeIsolated { shard in
                guard let connection = shard.live(id) else { return }
                connection.current?.keepsAlive = false
                if connection.current?.body.isComplete == false { shard.fail(connection, .stopped) }
                connection.current?.task?.cancel()
            }
        }
    }

    func unpark(_ id: RequestHandle.ID) {
        live(id)?.current?.isParked = false
    }
}
