import Dispatch
import Synchronization

/// The serial queues on which files are hashed, written and synced.
///
/// Their service class differs from the shards', so a slow disk blocks no thread that a shard needs.
final class DiskLanes: Sendable {
    private let lanes: [QueueExecutor]
    private let turn = Atomic<Int>(0)

    init(count: Int) {
        lanes = (0..<count).map { QueueExecutor(label: "http.disk.\($0)", qos: .utility) }
    }

    func next() -> QueueExecutor {
        lanes[Int(turn.wrappingAdd(1, ordering: .relaxed).newValue.magnitude % UInt(lanes.count))]
    }
}
