import Federation
import Synchronization

/// Whether the server can serve: its store takes writes.
final class Readiness: Sendable {
    private let metadata: any MetadataStore
    private let clock: any WallClock
    /// When the store was last tried, and what was wrong with it.
    private let last = Mutex<(at: Timestamp, error: ServiceError?)?>(nil)

    init(metadata: any MetadataStore, clock: any WallClock) {
        self.metadata = metadata
        self.clock = clock
    }

    /// Asked often, it answers what it found within a second.
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
