import Synchronization

/// Counts the open connections against the limits: all, and for each peer.
final class ConnectionLimiter: Sendable {
    enum Admission: Sendable {
        case admitted
        /// Answered with 503.
        case refused
        /// Too many are being refused already: closed without an answer.
        case dropped
    }

    private struct Counts {
        var admitted = 0
        var refused = 0
        var perSubscriber: [SocketAddress.Host: Int] = [:]
    }

    private static let mostRefusedAtOnce = 256
    private let limits: Limits
    private let proxies: TrustedProxies
    private let connections: Int
    private let counts = Mutex(Counts())

    /// - Parameter connections: how many the process can hold open; the smaller of the two limits applies.
    init(limits: Limits, proxies: TrustedProxies, connections: Int) {
        self.limits = limits
        self.proxies = proxies
        self.connections = min(limits.connections, connections)
    }

    /// The connections that are open now.
    var open: (admitted: Int, refused: Int) { counts.withLock { ($0.admitted, $0.refused) } }

    func admit(_ peer: SocketAddress) -> Admission {
        counts.withLock { counts in
            let ofPeer = counts.perSubscriber[peer.subscriber, default: 0]
            let mostOfPeer = isCounted(peer) ? limits.connectionsPerAddress : .max
            if counts.admitted < connections, ofPeer < mostOfPeer {
                counts.admitted += 1
                if isCounted(peer) { counts.perSubscriber[peer.subscriber] = ofPeer + 1 }
                return .admitted
            }
            guard counts.refused < Self.mostRefusedAtOnce else { return .dropped }
            counts.refused += 1
            return .refused
        }
    }

    func release(_ peer: SocketAddress, _ admission: Admission) {
        counts.withLock { counts in
            switch admission {
            case .admitted:
                counts.admitted -= 1
                guard isCounted(peer), let ofPeer = counts.perSubscriber[peer.subscriber] else { return }
                counts.perSubscriber[peer.subscriber] = ofPeer > 1 ? ofPeer - 1 : nil
            case .refused:
                counts.refused -= 1
            case .dropped:
                break
            }
        }
    }

    private func isCounted(_ peer: SocketAddress) -> Bool {
        (limits.countsLoopbackAddresses || !peer.isLoopback) && !proxies.contains(peer.host)
    }
}
