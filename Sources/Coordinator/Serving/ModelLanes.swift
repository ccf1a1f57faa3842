import Federation

/// The queues on which merges are summed for download. What is summed is deleted only while both are idle.
struct ModelLanes: Sendable {
    let merging = RenderingLanes(queues: [BlockingQueue(label: "merging")])
    /// For merges and adapters summed into models, which takes longer than clients should wait for a merge.
    let modelling = RenderingLanes(queues: [BlockingQueue(label: "modelling")])

    /// Runs work while nothing is summed.
    func alone(_ work: @escaping @Sendable () throws(StoreError) -> Void) async throws(StoreError) {
        try await merging.queues[0].run { () throws(StoreError) in try modelling.queues[0].runBlocking(work) }
    }
}
