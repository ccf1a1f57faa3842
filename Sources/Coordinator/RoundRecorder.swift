import AdapterFormat
import Aggregation
import Federation

/// Writes what a round publishes into the slots of the store where it belongs.
struct RoundRecorder: RoundSink {
    private let adapter: StoredAdapter
    private let merge: StoredAdapter
    private let moments: [StoredAdapter]

    init(round: Int, of federation: FederationID, momentCount: Int, parts: Parts) {
        adapter = parts.stored(.adapter, of: federation, round: round)
        merge = parts.stored(.merge, of: federation, round: round)
        moments = (0..<momentCount).map { parts.stored(.moment($0), of: federation, round: round) }
    }

    /// Forgets what a run that was cut off has written.
    func begin(_ outline: RoundOutline) throws(StoreError) { try clear() }

    func take(_ result: ModuleResult, of module: ModuleShape) throws(StoreError) {
        try adapter.take(result.factors, of: module)
        if let added = result.merge { try merge.take(added.factors, of: module) }
        for (slot, moment) in zip(moments, result.moments) { try slot.take(moment, of: module) }
    }

    func take(_ values: [Float], of tensor: AdapterShape.Dense) throws(StoreError) {
        try adapter.take(values, of: tensor)
    }

    /// Forgets all that the round has left.
    func clear() throws(StoreError) {
        for slot in [adapter, merge] + moments { try slot.remove() }
    }
}
