import CLinux
import Dispatch
import Foundation
import Logging

/// One core's share of the connections: a serial queue, an epoll set behind one Dispatch source, and all that reads,
/// writes and times the sockets in it.
actor Shard {
    /// What all shards of a server have in common.
    struct Settings: Sendable {
        let router: Router
        let limits: Limits
        let sweepInterval: Duration
        let renderFailure: @Sendable (RequestFailure) -> Response
        let logger: Logger
        let census: ConnectionLimiter
        let bodies: BodyLimiter
        let proxies: TrustedProxies
        let tls: TLSContexts?
        let disk: DiskLanes
    }

    /// The limits in time as nanoseconds.
    struct Timings {
        let timeToHeaders: UInt64
        let idleTime: UInt64
        let bodyRateWindow: UInt64
        let writeStallTime: UInt64
        let lingerTime: UInt64
        let leastBytesInWindow: Int
    }

    nonisolated let executor: QueueExecutor
    nonisolated let settings: Settings
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    let timings: Timings
    let poll: EventPoll
    var connections = ConnectionTable()
    var readBuffer = [UInt8](repeating: 0, count: 64 << 10)
    /// Where response heads are put together.
    var scratch: [UInt8] = []
    /// Where what goes into one record of TLS is put together.
    var record: [UInt8] = []
    var blocks = BlockPool()
    /// Pours that wait for a block.
    var awaitingBuffer: [ConnectionTable.Key] = []
    var date = HTTPDate()
    /// `CLOCK_MONOTONIC` at the beginning of the current turn.
    var now: UInt64 = 0
    var handlersUnderWay = 0
    /// What is counted as in flight for each request with a body, until its handler ends.
    var bodyCharges: [RequestHandle.ID: (bytes: Int, origin: SocketAddress)] = [:]
    var isDraining = false
    /// Whether the time to drain is over, and nobody is to wait any more.
    var hasEnded = false
    var drainWaiters: [CheckedContinuation<Void, Never>] = []
    private var ready: [ConnectionTable.Key] = []
    private var source: (any DispatchSourceRead)?
    private var timer: (any DispatchSourceTimer)?

    init(index: Int, settings: Settings) throws(HTTPServerError) {
        executor = QueueExecutor(label: "http.shard.\(index)", qos: .userInitiated)
        self.settings = settings
        let limits = settings.limits
        let window = limits.bodyRateWindow.nanoseconds
        timings = Timings(
            timeToHeaders: limits.timeToHeaders.nanoseconds, idleTime: limits.idleTime.nanoseconds,
            bodyRateWindow: window, writeStallTime: limits.writeStallTime.nanoseconds,
            lingerTime: limits.lingerTime.nanoseconds,
            leastBytesInWindow: Int(min(1e18, Double(limits.leastBodyRate) * Double(window) / 1e9)))
        poll = try EventPoll()
    }

    func start() {
        let source = DispatchSource.makeReadSource(fileDescriptor: poll.descriptor, queue: executor.queue)
        source.setEventHandler { self.assumeIsolated { $0.takeEvents() } }
        source.activate()
        self.source = source
        let timer = DispatchSource.makeTimerSource(queue: executor.queue)
        let interval = DispatchTimeInterval.nanoseconds(Int(clamping: settings.sweepInterval.nanoseconds))
        timer.schedule(deadline: .now() + interval, repeating: interval, leeway: .milliseconds(10))
        timer.setEventHandler { self.assumeIsolated { $0.sweep() } }
        timer.activate()
        self.timer = timer
    }

    /// Ends the retain cycles through the sources; no event is taken after this.
    func stop() {
        source?.cancel()
        timer?.cancel()
        source = nil
        timer = nil
    }

    /// Takes over a socket that the listener has accepted.
    func adopt(_ descriptor: Int32, _ peer: SocketAddress, _ admission: ConnectionLimiter.Admission) {
        tick()
        let connection = connections.insert {
            Connection(
                key: $0, descriptor: descriptor, peer: peer, admission: admission,
                tls: settings.tls.flatMap { TLSSession($0.current, descriptor: descriptor) },
                deadline: now &+ timings.timeToHeaders)
        }
        let isSound = (connection.tls == nil) == (settings.tls == nil)
        guard !isDraining, isSound, poll.add(descriptor, token: connection.key.token) else {
            hangUp(connection)
            return
        }
        guard admission == .refused else { return }
        refuse(connection, .overloaded(retryAfter: settings.limits.retryAfterSeconds))
        // Through TLS the answer waits for a handshake, which has the time of a head.
        connection.deadline = now &+ min(timings.timeToHeaders, timings.writeStallTime)
        advance(connection)
    }

    /// Closes the socket, ends whoever waits for it, and gives its place away.
    func hangUp(_ connection: Connection) {
        guard connection.phase != .closed else { return }
        connection.phase = .closed
        connections.remove(connection.key)
        connection.tls?.sayGoodbye()
        close(connection.descriptor)
        settings.census.release(connection.peer, connection.admission)
        let current = connection.current
        connection.current = nil
        connection.outgoing = nil
        connection.dropBacklog()
        if let current {
            if current.isParked { current.task?.cancel() }
            current.reader?.fail(.peerGone)
        }
        resumeIfDrained()
    }

    /// Has a connection driven again in a later turn, after all that is ready now.
    func makeReady(_ connection: Connection) {
        ready.append(connection.key)
        guard ready.count == 1 else { return }
        executor.queue.async { self.assumeIsolated { $0.runReady() } }
    }

    func tick() {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        now = UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
        date.update()
    }

    /// Takes every event there is, so that a busy set rarely needs Dispatch to wake it.
    func takeEvents() {
        tick()
        for _ in 0..<Self.roundsPerTurn {
            var taken = 0
            poll.poll { token, readiness in
                taken += 1
                take(ConnectionTable.Key(token: token), readiness)
            }
            if taken == 0 { break }
        }
    }

    private static let roundsPerTurn = 8

    private func take(_ key: ConnectionTable.Key, _ readiness: EventPoll.Readiness) {
        guard let connection = connections[key] else { return }
        // What a peer that broke off had sent of a body is still worth having.
        guard readiness.isDisjoint(with: .gone) || connection.awaitsBody else {
            hangUp(connection)
            return
        }
        if !readiness.isDisjoint(with: [.finished, .gone]) {
            connection.peerFinished = true
            // Nearly always it is gone for good: a wait's place is not to be held for it. One that still listens is
            // answered at once.
            if connection.current?.isParked == true { connection.current?.task?.cancel() }
        }
        if !readiness.isDisjoint(with: [.readable, .finished, .gone]) { connection.isReadable = true }
        if readiness.contains(.writable) { connection.isWritable = true }
        if connection.tls != nil {
            // Either direction of TLS may wait for the other one's socket.
            connection.isReadable = true
            connection.isWritable = true
        }
        advance(connection)
    }

    private func runReady() {
        tick()
        let keys = ready
        ready = []
        for key in keys {
            if let connection = connections[key] { advance(connection) }
        }
    }
}

extension Duration {
    /// Clamped to what a `UInt64` holds.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, seconds < 1 << 33 else { return seconds < 0 ? 0 : 1 << 62 }
        return UInt64(seconds) * 1_000_000_000 + UInt64(max(0, attoseconds)) / 1_000_000_000
    }
}
