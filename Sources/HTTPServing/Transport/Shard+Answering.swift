import CLinux
import Foundation
import HTTPTypes

/// Writes answers and decides what happens to the connection afterwards.
extension Shard {
    private static let bytesPerTurn = 1 << 20

    /// Answers a request that was malformed or came too late.
    func refuse(_ connection: Connection, _ failure: RequestFailure) {
        connection.current = nil
        respond(connection, render(failure))
    }

    /// Sends an answer, as much as the socket takes now.
    func respond(_ connection: Connection, _ response: Response) {
        var response = response
        if response.status.code < 200 { response = render(.internal) }
        connection.current?.reader?.fail(.alreadyRead)
        connection.current?.reader = nil
        count(response.status.code, connection.current)
        let ending = ending(connection, after: response)
        let isHead = connection.current?.isHead ?? connection.parser.isHead
        scratch.removeAll(keepingCapacity: true)
        ResponseHead.append(
            response, date: date.text, keepsAlive: ending == .keepAlive,
            isVersion10: connection.current?.isVersion10 ?? false, to: &scratch)
        connection.phase = .writing
        connection.deadline = now &+ timings.writeStallTime
        let body = isHead || !ResponseHead.carriesLength(response.status) ? .empty : response.body
        let isFile = if case .file = body { true } else { false }
        let bytes = if case .bytes(let bytes) = body { bytes } else { [UInt8]() }
        let sent: Int
        switch send(connection, scratch, bytes, moreFollows: isFile) {
        case .moved(let count): sent = count
        case .wouldBlock: sent = 0
        case .broken: return hangUp(connection)
        }
        if sent == scratch.count + bytes.count, !isFile { return complete(connection, ending) }
        connection.outgoing = Outgoing(
            head: Array(scratch.dropFirst(sent)), body: body, sent: max(0, sent - scratch.count), after: ending)
    }

    private func count(_ status: Int, _ current: CurrentRequest?) {
        guard metrics != nil else { return }
        let time = current?.beganAt.map { began in
            // The turn's clock would not count the work of a handler that answers at once.
            var time = timespec()
            clock_gettime(CLOCK_MONOTONIC, &time)
            return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec) &- began
        }
        metrics?.count(status, of: current?.route, after: time)
    }

    private func ending(_ connection: Connection, after response: Response) -> Ending {
        let bodyIsDone = settleBody(connection)
        if let current = connection.current, current.keepsAlive, !isDraining, bodyIsDone,
            !ResponseHead.asksToClose(response.headerFields)
        {
            return .keepAlive
        }
        return bodyIsDone && connection.backlogCount == 0 && !connection.isReadable ? .close : .linger
    }

    /// - Returns: whether the next byte on the connection starts a request.
    private func settleBody(_ connection: Connection) -> Bool {
        guard var body = connection.current?.body, connection.current?.bodyError == nil else { return false }
        // A client that never got `100 Continue` may send the body or omit it, so the next bytes could be either.
        if connection.current?.awaitsContinue == true { return false }
        if !body.isComplete, connection.backlogCount > 0 {
            // If a small unread body has already arrived, the connection can stay open.
            guard (try? decodeBacklog(connection, &body)) != nil else { return false }
        }
        return body.isComplete
    }

    /// Continues an answer.
    /// - Returns: whether the connection has changed its phase.
    func flush(_ connection: Connection) -> Bool {
        guard connection.isWritable, var outgoing = connection.outgoing else { return false }
        connection.outgoing = nil
        var room = Self.bytesPerTurn
        while room > 0 {
            let outcome: Socket.Outcome
            switch outgoing.body {
            case .file(let file, let range) where outgoing.head.isEmpty:
                outcome = send(
                    connection, file: file.descriptor, offset: range.lowerBound + outgoing.sent,
                    count: min(range.count - outgoing.sent, room))
            case .bytes(let bytes):
                outcome = send(connection, outgoing.head, bytes, from: outgoing.sent)
            case .empty, .file:
                outcome = send(connection, outgoing.head, [])
            }
            switch outcome {
            case .moved(let count):
                // A file that has become shorter cannot supply the promised length.
                guard count > 0 || outgoing.rest == 0 else {
                    hangUp(connection)
                    return true
                }
                outgoing.advance(by: count)
                room -= count
                connection.deadline = now &+ timings.writeStallTime
            case .wouldBlock:
                connection.isWritable = false
                connection.outgoing = outgoing
                return false
            case .broken:
                hangUp(connection)
                return true
            }
            if outgoing.rest == 0 {
                complete(connection, outgoing.after)
                return true
            }
        }
        connection.outgoing = outgoing
        makeReady(connection)
        return false
    }

    private func complete(_ connection: Connection, _ ending: Ending) {
        connection.outgoing = nil
        connection.current = nil
        switch ending {
        case .keepAlive where !isDraining:
            connection.phase = .head
            connection.deadline = now &+ timings.idleTime
        case .keepAlive, .close:
            hangUp(connection)
        case .linger:
            connection.dropBacklog()
            connection.tls?.sayGoodbye()
            shutdown(connection.descriptor, Int32(SHUT_WR))
            connection.phase = .lingering
            connection.deadline = now &+ timings.lingerTime
        }
    }

    /// Drops the bytes that a refused peer still sends.
    func drain(_ connection: Connection) {
        var room = 4
        while let count = receive(connection, upTo: readBuffer.count) {
            guard count > 0 else { return hangUp(connection) }
            room -= 1
            guard room > 0 else { return makeReady(connection) }
        }
    }
}

extension Outgoing {
    var rest: Int { head.count + body.count - sent }

    mutating func advance(by count: Int) {
        let ofHead = min(count, head.count)
        head.removeFirst(ofHead)
        sent += count - ofHead
    }
}
