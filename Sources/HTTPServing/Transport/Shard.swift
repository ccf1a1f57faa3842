import CLinux
import CoreMetrics
import Dispatch
import Foundation
import Logging

/// One core's share of the connections: a serial queue, an epoll set behind one Dispatch source, and the code that
/// reads, writes and times their sockets.
actor Shard {
    /// The settings that all shards of a server share.
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
        let metrics: (any MetricsFactory)?
    }

    /// The time limits in nanoseconds.
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
    /// Scratch memory for response heads.
    var scratch: [UInt8] = []
    /// Scratch memory for the contents of one TLS record.
    var record: [UInt8] = []
    var blocks = BlockPool()
    /// File writes that wait for a block.
    var awaitingBuffer: [ConnectionTable.Key] = []
    var date = HTTPDate()
    /// `CLOCK_MONOTONIC` at the start of the current turn.
    var now: UInt64 = 0
    var handlersUnderWay = 0
    /// The bytes counted as in flight for each request with a body, until its handler ends.
    var bodyCharges: [RequestHandle.ID: (bytes: Int, origin: SocketAddress)] = [:]
    /// Nil where nothing is counted.
    var metrics: ShardMetrics?
    var isDraining = false
    /// Whether the time to drain is over, so that nobody waits any more.
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
        metrics = settings.metrics.map { ShardMetrics($0, routes: settings.router.names) }
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

    /// Breaks the retain cycles through the sources; no event is taken after this.
    func stop() {
        source?.cancel()
        timer?.cancel()
        source = nil
        timer = nil
    }

    /// Takes over a socket from the listener.
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
        // With TLS the answer waits for a handshake, which has the time limit of a head.
        connection.deadline = now &+ min(timings.timeToHeaders, timings.writeStallTime)
        advance(connection)
    }

    /// Closes the socket, ends waiting readers, and frees the slot.
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

    /// Schedules a connection for a later turn, after all that is ready now.
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

    /// Takes all ready events, so that Dispatch rarely has to wake a busy set.
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
        // The bytes of a body that a disconnected peer had sent are still useful.
        guard readiness.isDisjoint(with: .gone) || connection.awaitsBody else {
            hangUp(connection)
            return
        }
        if !readiness.isDisjoint(with: [.finished, .gone]) {
            connection.peerFinished = true
            // The peer is nearly always gone for good, so a parked wait should not keep its place. A peer that still
            // listens gets its answer at once.
            if connection.current?.isParked == true { connection.current?.task?.cancel() }
        }
        if !readiness.isDisjoint(with: [.readable, .finished, .gone]) { connection.isReadable = true }
        if readiness.contains(.writable) { connection.isWritable = true }
        if connection.tls != nil {
            // With TLS, each direction may wait for the socket's other direction.
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
