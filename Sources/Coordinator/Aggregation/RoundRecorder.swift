import AdapterFormat
import Aggregation
import Federation

/// Writes what a round publishes into its slots of the store, and the adapter's file at the same time.
struct RoundRecorder: RoundSink {
    /// Begins the adapter's file once the outline of the published round is known.
    typealias BeginRendering = (RoundOutline) throws -> PublishedRendering?

    private let beginRendering: BeginRendering
    private var rendering: PublishedRendering?
    private var adapter: StoredAdapterWriter
    private var merge: StoredAdapterWriter
    private var moments: [StoredAdapterWriter]

    init(
        round: Int, of federation: FederationID, momentCount: Int, in adapters: any AdapterStore, under lease: Lease?,
        rendering: @escaping BeginRendering = { _ in nil }
    ) {
        beginRendering = rendering
        func writer(_ slot: AdapterSlot) -> StoredAdapterWriter {
            StoredAdapterWriter(to: StoredAdapter(slot, of: federation, round: round, in: adapters), under: lease)
        }
        adapter = writer(.adapter)
        merge = writer(.merge)
        moments = (0..<momentCount).map { writer(.moment($0)) }
    }

    /// Deletes what an interrupted run has written.
    mutating func begin(_ outline: RoundOutline) throws {
        try clear()
        rendering = try beginRendering(outline)
    }

    mutating func take(_ result: ModuleResult, of module: ModuleShape) throws {
        try rendering?.take(result.factors)
        try adapter.take(result.factors, of: module)
        if let added = result.merge { try merge.take(added.factors, of: module) }
        for (index, moment) in result.moments.enumerated() { try moments[index].take(moment, of: module) }
    }

    mutating func take(_ values: [Float], of tensor: AdapterShape.Dense) throws {
        try rendering?.take(values, of: tensor)
        try adapter.take(values, of: tensor)
    }

    /// Stores the last batch and returns the adapter's file, where one was begun.
    mutating func finish() throws -> AdapterCache.File? {
        let file = try rendering?.finish()
        try adapter.flush()
        try merge.flush()
        for index in moments.indices { try moments[index].flush() }
        return try file?.outcome()
    }

    /// Deletes all that the round has written.
    mutating func clear() throws(StoreError) {
        try adapter.clear()
        try merge.clear()
        for index in moments.indices { try moments[index].clear() }
    }
}
