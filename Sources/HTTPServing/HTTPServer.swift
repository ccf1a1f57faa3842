import CLinux
package import CoreMetrics
import Dispatch
import Foundation
package import Logging
import Synchronization

/// An HTTP/1.1 server: a listener distributes connections to one shard a core.
package final class HTTPServer: Sendable {
    package struct Configuration: Sendable {
        /// Default 127.0.0.1, port 8080.
        package var address = ListeningAddress.tcp(host: "127.0.0.1", port: 8080)
        /// The number of queues that share the connections. Default: one a core.
        package var shards = ProcessInfo.processInfo.activeProcessorCount
        package var limits = Limits()
        /// The proxies whose `X-Forwarded-For` is believed; their connections are not counted by address. Default:
        /// none.
        package var trustedProxies: [AddressRange] = []
        /// Default: plain HTTP.
        package var tls: TLS?
        /// How often deadlines are checked, and so how late the server may notice one. Default 1 s.
        package var sweepInterval: Duration = .seconds(1)
        /// Where requests and bytes are counted. Default: nowhere.
        package var metrics: (any MetricsFactory)?

        package init() {}
    }

    private enum State {
        /// Exit: `running`.
        case idle
        /// Exit: `stopped`.
        case running(Listener, [Shard], TLSContexts?, @Sendable () -> ServingLoad)
        case stopped
    }

    private static let diskLanes = 16
    /// Descriptors reserved for files, epoll sets and the rest of the process.
    private static let reservedDescriptors = 512
    private let configuration: Configuration
    private let router: Router
    private let renderFailure: @Sendable (RequestFailure) -> Response
    private let logger: Logger
    private let state = Mutex(State.idle)

    /// - Parameter renderFailure: makes the answer for a failure that the server itself found. Runs on the shards.
    package init(
        configuration: Configuration, router: Router,
        renderFailure: @escaping @Sendable (RequestFailure) -> Response, logger: Logger
    ) {
        self.configuration = configuration
        self.router = router
        self.renderFailure = renderFailure
        self.logger = logger
    }

    /// Starts to serve.
    ///
    /// Raises the process's soft limit of open files to the hard one. Makes the process ignore SIGPIPE, which
    /// `sendfile` raises when a peer has disconnected.
    /// - Returns: the address that it listens on.
    package func start() throws(HTTPServerError) -> SocketAddress {
        let result = state.withLock { state -> Result<SocketAddress, HTTPServerError> in
            guard case .idle = state else { return .failure(.alreadyStarted) }
            do throws(HTTPServerError) {
                let (listener, shards, tls, load) = try open()
                state = .running(listener, shards, tls, load)
                return .success(listener.address)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Stops gracefully: accepts no more connections, closes idle ones, cancels parked handlers and lets requests in
    /// flight finish. Closes by force what is left after `time`.
    package func shutdown(within time: Duration) async {
        let running = state.withLock { state -> (Listener, [Shard])? in
            guard case .running(let listener, let shards, _, _) = state else { return nil }
            state = .stopped
            return (listener, shards)
        }
        guard let (listener, shards) = running else { return }
        await listener.stop()
        for shard in shards { await shard.beginDraining() }
        let end = DispatchTime.now() + .nanoseconds(Int(clamping: time.nanoseconds))
        for shard in shards {
            shard.executor.queue.asyncAfter(deadline: end) { shard.assumeIsolated { $0.endDraining() } }
        }
        for shard in shards { await shard.drained() }
        for shard in shards { await shard.stop() }
    }

    /// What is open now; nothing before the start and after the end.
    package var load: ServingLoad {
        guard case .running(_, _, _, let load) = state.withLock({ $0 }) else { return ServingLoad() }
        return load()
    }

    /// Reads certificate, key and authority again, for new connections.
    ///
    /// - Throws: the error in the files; the server then keeps the old ones.
    package func reloadCertificates() throws(TLSError) {
        guard case .running(_, _, let tls?, _) = state.withLock({ $0 }) else { return }
        try tls.reload()
    }

    private func open() throws(HTTPServerError) -> (
        Listener, [Shard], TLSContexts?, @Sendable () -> ServingLoad
    ) {
        signal(SIGPIPE, SIG_IGN)
        let tls = try openTLS()
        let descriptors = Self.raiseDescriptorLimit()
        let proxies = TrustedProxies(ranges: configuration.trustedProxies)
        let census = ConnectionLimiter(
            limits: configuration.limits, proxies: proxies,
            connections: max(descriptors - Self.reservedDescriptors, descriptors / 2))
        let bodies = BodyLimiter(limits: configuration.limits)
        let settings = Shard.Settings(
            router: router, limits: configuration.limits, sweepInterval: configuration.sweepInterval,
            renderFailure: renderFailure, logger: logger, census: census,
            bodies: bodies, proxies: proxies, tls: tls,
            disk: DiskLanes(count: Self.diskLanes), metrics: configuration.metrics)
        var shards: [Shard] = []
        for index in 0..<max(1, configuration.shards) { shards.append(try Shard(index: index, settings: settings)) }
        let (descriptor, address) = try ListeningSocket.open(configuration.address)
        let listener = Listener(
            descriptor: descriptor, address: address, isInherited: configuration.address == .inherited, shards: shards,
            census: census, logger: logger)
        for shard in shards { shard.executor.queue.async { shard.assumeIsolated { $0.start() } } }
        listener.executor.queue.async { listener.assumeIsolated { $0.start() } }
        let load: @Sendable () -> ServingLoad = {
            var load = ServingLoad()
            (load.connections, load.refusedConnections) = census.open
            (load.bodies, load.bodyBytes) = bodies.inFlight
            return load
        }
        return (listener, shards, tls, load)
    }

    private func openTLS() throws(HTTPServerError) -> TLSContexts? {
        guard let settings = configuration.tls else { return nil }
        do throws(TLSError) {
            return try TLSContexts(settings)
        } catch {
            throw .tls(error)
        }
    }

    /// - Returns: how many files this process may open.
    private static func raiseDescriptorLimit() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        if limit.rlim_cur < limit.rlim_max {
            var raised = limit
            raised.rlim_cur = limit.rlim_max
            if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 { limit = raised }
        }
        return Int(clamping: limit.rlim_cur)
    }
}
