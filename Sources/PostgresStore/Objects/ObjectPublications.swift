import Federation
import Synchronization

/// Objects that this server has put into the bucket and that no row names yet. Each has its own place, also where two
/// have the same bytes.
final class ObjectPublications: Sendable {
    struct Object: Sendable, Hashable {
        let place: ObjectPlace
        let publishedAt: Timestamp
        /// Whether a row may name it after all: its step's outcome is not known. It is never deleted from here.
        var mayBeRecorded = false
    }

    /// The time in which a publisher must record its object, in seconds.
    static let graceSeconds = 600.0

    private let objects = Mutex<[ContentDigest: [Object]]>([:])

    func add(_ digest: ContentDigest, at place: ObjectPlace, now: Timestamp) {
        objects.withLock { $0[digest, default: []].append(Object(place: place, publishedAt: now)) }
    }

    /// Takes one of the objects with these bytes; nil where there is none.
    func take(_ digest: ContentDigest) -> Object? {
        objects.withLock { objects in
            guard let object = objects[digest]?.popLast() else { return nil }
            if objects[digest]?.isEmpty == true { objects[digest] = nil }
            return object
        }
    }

    func putBack(_ digest: ContentDigest, _ object: Object, mayBeRecorded: Bool = false) {
        objects.withLock { objects in
            var object = object
            object.mayBeRecorded = object.mayBeRecorded || mayBeRecorded
            objects[digest, default: []].append(object)
        }
    }

    /// Where an object has these bytes; nil where none does.
    func place(of digest: ContentDigest) -> ObjectPlace? { objects.withLock { $0[digest]?.last?.place } }

    /// Takes all objects whose grace period is over.
    func takeExpired(at now: Timestamp) -> [(digest: ContentDigest, object: Object)] {
        objects.withLock { objects in
            var expired: [(digest: ContentDigest, object: Object)] = []
            for (digest, some) in objects {
                let old = some.filter { now.seconds(since: $0.publishedAt) >= Self.graceSeconds }
                guard !old.isEmpty else { continue }
                expired += old.map { (digest, $0) }
                let rest = some.filter { now.seconds(since: $0.publishedAt) < Self.graceSeconds }
                objects[digest] = rest.isEmpty ? nil : rest
            }
            return expired
        }
    }
}
