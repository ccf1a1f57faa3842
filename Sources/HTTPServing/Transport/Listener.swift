import CLinux
import Dispatch
import Foundation
import Logging

/// Accepts connections and distributes them to the shards in turn.
actor Listener {
    private static let acceptsPerTurn = 64
    /// Without free descriptors the socket stays readable: without a pause, a core would spin.
    private static let pauseWhenExhausted = DispatchTimeInterval.milliseconds(100)

    nonisolated let executor = QueueExecutor(label: "http.listener", qos: .userInitiated)
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    nonisolated let address: SocketAddress
    private let descriptor: Int32
    /// The path that is removed at the end; nil for a port, and for a socket that was handed over, which stays its owner's.
    private let ownPath: String?
    private let shards: [Shard]
    private let census: ConnectionLimiter
    private let logger: Logger
    private var source: (any DispatchSourceRead)?
    private var isPaused = false
    private var turn = 0

    /// - Parameters:
    ///   - descriptor: a non-blocking listening socket; the listener closes it.
    ///   - isInherited: whether another program handed it over.
    init(
        descriptor: Int32, address: SocketAddress, isInherited: Bool, shards: [Shard], census: ConnectionLimiter,
        logger: Logger
    ) {
        ownPath = if case .unix(let path) = address.host, !isInherited { path } else { nil }
        self.descriptor = descriptor
        self.address = address
        self.shards = shards
        self.census = census
        self.logger = logger
    }

    func start() {
        let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: executor.queue)
        let descriptor = descriptor
        source.setEventHandler { self.assumeIsolated { $0.accept() } }
        source.setCancelHandler { close(descriptor) }
        source.activate()
        self.source = source
    }

    /// Connections that the kernel has accepted but this listener has not are reset.
    func stop() {
        // Here, and not when the source is done with: whoever waits for the end may listen there next.
        if source != nil, let ownPath { unlink(ownPath) }
        // A suspended source must be resumed before it is released.
        if isPaused { source?.resume() }
        isPaused = false
        source?.cancel()
        source = nil
    }

    private func accept() {
        guard source != nil else { return }
        for _ in 0..<Self.acceptsPerTurn {
            var storage = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let accepted = withUnsafeMutablePointer(to: &storage) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    accept4(descriptor, $0, &length, Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue))
                }
            }
            guard accepted >= 0 else {
                switch errno {
                case EINTR, ECONNABORTED, EPROTO, EPERM: continue
                case EMFILE, ENFILE, ENOBUFS, ENOMEM: return pause(errno)
                default: return
                }
            }
            deal(accepted, SocketAddress(storage))
        }
    }

    private func deal(_ accepted: Int32, _ peer: SocketAddress?) {
        guard let peer else {
            close(accepted)
            return
        }
        let admission = census.admit(peer)
        guard admission != .dropped else {
            close(accepted)
            return
        }
        var on: Int32 = 1
        setsockopt(accepted, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        let shard = shards[turn]
        turn = (turn + 1) % shards.count
        shard.executor.queue.async { shard.assumeIsolated { $0.adopt(accepted, peer, admission) } }
    }

    private func pause(_ code: Int32) {
        guard !isPaused else { return }
        logger.warning("out of descriptors or memory, accepting pauses", metadata: ["errno": "\(code)"])
        isPaused = true
        source?.suspend()
        executor.queue.asyncAfter(deadline: .now() + Self.pauseWhenExhausted) {
            self.assumeIsolated { $0.resume() }
        }
    }

    private func resume() {
        guard isPaused else { return }
        isPaused = false
        source?.resume()
    }
}
