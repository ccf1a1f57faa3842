import Synchronization

/// The number of received bytes of a request's body; it remains known after the connection is closed.
final class BodyTally: Sendable {
    private let bytes = Atomic<Int>(0)

    var count: Int { bytes.load(ordering: .relaxed) }

    func add(_ count: Int) { bytes.wrappingAdd(count, ordering: .relaxed) }
}
