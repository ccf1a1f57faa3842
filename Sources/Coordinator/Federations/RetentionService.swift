import Federation
import Logging

/// Deletes the adapters of rounds that a federation does not keep.
struct RetentionService: Sendable {
    let adapters: any AdapterStore
    let cache: AdapterCache
    let lanes: RenderingLanes
    let logger: Logger

    /// Deletes what the federation's settings do not keep. Nothing is rendered meanwhile.
    func apply(to session: FederationSession) async {
        let machine = session.snapshot.machine
        guard let retention = machine.settings.retention, machine.publishedRound > 0 else { return }
        let id = session.id
        do throws(StoreError) {
            let dropped = try await lanes.alone { () throws(StoreError) in
                let rounds = try adapters.rounds(of: .adapter, in: id)
                let metrics = retention.keepsBest ? try adapters.metrics(ofRounds: rounds, in: id) : [:]
                let dropped = retention.dropped(
                    among: rounds, newest: machine.publishedRound, metrics: metrics, best: machine.standing.best?.round)
                for round in dropped { try adapters.remove(.adapter, ofRounds: round...round, in: id) }
                return Set(dropped)
            }
            cache.forget(id, rounds: dropped)
        } catch {
            logger.error(
                "adapters that are not to be kept stay until the next round",
                metadata: ["federation": "\(id)", "reason": "\(error)"])
        }
    }
}
