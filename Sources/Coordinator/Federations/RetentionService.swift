import Federation
import Logging

/// Drops the adapters of rounds that a federation does not keep.
struct RetentionService: Sendable {
    let parts: Parts

    /// Deletes what the federation's settings let go; while it does, nothing is rendered.
    func apply(to session: FederationSession) async {
        let machine = session.snapshot.machine
        guard let retention = machine.settings.retention, machine.publishedRound > 0 else { return }
        let id = session.id
        do throws(StoreError) {
            let dropped = try await parts.rendering.alone { () throws(StoreError) in
                let rounds = try parts.adapters.rounds(of: .adapter, in: id)
                let metrics = retention.keepsBest ? try parts.adapters.metrics(ofRounds: rounds, in: id) : [:]
                let dropped = retention.dropped(among: rounds, newest: machine.publishedRound, metrics: metrics)
                for round in dropped { try parts.adapters.remove(.adapter, ofRounds: round...round, in: id) }
                return Set(dropped)
            }
            parts.cache.forget(id, rounds: dropped)
        } catch {
            parts.logger.error(
                "adapters that are not to be kept stay until the next round",
                metadata: ["federation": "\(id)", "reason": "\(error)"])
        }
    }
}
