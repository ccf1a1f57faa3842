import Federation

/// The queues on which merges are summed for download. Merges are deleted only while both queues are idle.
struct ModelLanes: Sendable {
    let merging = RenderingLanes(queues: [BlockingQueue(label: "merging")])
    /// Sums merges and adapters into models. A client should not have to wait for that with a merge.
    let modelling = RenderingLanes(queues: [BlockingQueue(label: "modelling")])

    /// Runs work while no sum is computed.
    func alone(_ work: @escaping @Sendable () throws(StoreError) -> Void) async throws(StoreError) {
        try await merging.queues[0].run { () throws(StoreError) in try modelling.queues[0].runBlocking(work) }
    }
}
