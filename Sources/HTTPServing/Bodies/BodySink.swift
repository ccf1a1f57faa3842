/// A file that receives a body's blocks in their order, on a disk lane.
protocol BodySink: Sendable {
    /// The lane; `take` must be called on its queue.
    var executor: QueueExecutor { get }
    /// - Returns: why the bytes could not be written.
    func take(_ block: MappedBuffer, _ count: Int) -> RequestBodyError?
}

extension BodyFile: BodySink {
    nonisolated func take(_ block: MappedBuffer, _ count: Int) -> RequestBodyError? {
        assumeIsolated { $0.append(block, count) }
    }
}
