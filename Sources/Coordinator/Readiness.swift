import Federation
import Synchronization

/// Whether the server can serve, which means that its store accepts writes.
final class Readiness: Sendable {
    private let metadata: any MetadataStore
    private let clock: any WallClock
    /// The time of the last probe, and its error.
    private let last = Mutex<(at: Timestamp, error: ServiceError?)?>(nil)

    init(metadata: any MetadataStore, clock: any WallClock) {
        self.metadata = metadata
        self.clock = clock
    }

    /// Probes the store at most once a second; calls in between get the last result.
    func probe() async throws(ServiceError) {
        let now = clock.now()
        if let known = last.withLock({ $0 }), (0..<1).contains(now.seconds(since: known.at)) {
            if let error = known.error { throw error }
            return
        }
        var found: ServiceError?
        do throws(StoreError) { try await metadata.probe() } catch { found = .store(error) }
        last.withLock { $0 = (now, found) }
        if let found { throw found }
    }
}
