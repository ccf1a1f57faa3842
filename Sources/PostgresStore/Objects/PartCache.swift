import Federation
import ObjectStorage
import Synchronization

/// Reads parts of adapters from their objects. The objects of the last reads stay in memory, because the modules of an
/// adapter lie side by side.
final class PartCache: Sendable {
    /// An object of at most this length is read as a whole.
    private static let wholeLimit = 16 << 20
    private static let count = 4

    private let objects: ObjectBucket
    /// The newest last.
    private let kept = Mutex<[(key: String, bytes: [UInt8])]>([])

    init(objects: ObjectBucket) { self.objects = objects }

    /// The bytes `range` of an object. Blocks.
    ///
    /// - Parameter length: the object's length, as far as its rows tell.
    func bytes(_ range: Range<Int>, of key: String, length: Int) throws(StoreError) -> [UInt8] {
        if let known = kept.withLock({ $0.last { $0.key == key }?.bytes }), range.upperBound <= known.count {
            return Array(known[range])
        }
        do throws(ObjectError) {
            guard length <= Self.wholeLimit else { return try objects.blocking.get(key, range) }
            let whole = try objects.blocking.get(key, 0..<length)
            keep(whole, of: key)
            return Array(whole[range])
        } catch {
            throw error.storeError
        }
    }

    /// Keeps an object that was just written.
    func keep(_ bytes: [UInt8], of key: String) {
        guard bytes.count <= Self.wholeLimit else { return }
        kept.withLock { kept in
            kept.removeAll { $0.key == key }
            kept.append((key, bytes))
            if kept.count > Self.count { kept.removeFirst() }
        }
    }
}
