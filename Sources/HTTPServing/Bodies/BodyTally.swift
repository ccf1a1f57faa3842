import Synchronization

/// How many bytes of a request's body have come, known also after its connection is gone.
final class BodyTally: Sendable {
    private let bytes = Atomic<Int>(0)

    var count: Int { bytes.load(ordering: .relaxed) }

    func add(_ count: Int) { bytes.wrappingAdd(count, ordering: .relaxed) }
}
