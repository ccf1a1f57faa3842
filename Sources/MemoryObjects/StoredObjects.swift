import Crypto
import ObjectStorage

/// Buckets and their objects in memory: what the server holds, without HTTP.
struct StoredObjects: Sendable {
    struct Object: Sendable {
        let bytes: [UInt8]
        let modified: CalendarTime
        /// The MD5 of the bytes, in quotes.
        let etag: String

        init(_ bytes: [UInt8], at time: CalendarTime) {
            self.bytes = bytes
            modified = time
            etag = "\"\(hex(Insecure.MD5.hash(data: bytes)))\""
        }
    }

    struct Page: Sendable {
        var objects: [(key: String, object: Object)]
        var isTruncated: Bool
    }

    /// By bucket, then by the key's UTF-8 bytes: two spellings of one letter are two keys.
    private var buckets: [String: [[UInt8]: Object]] = [:]

    /// Makes a bucket; one that is there stays as it is.
    mutating func makeBucket(_ name: String) { buckets[name] = buckets[name] ?? [:] }

    func object(_ key: String, in bucket: String) throws(S3Failure) -> Object {
        guard let objects = buckets[bucket] else { throw .noSuchBucket }
        guard let object = objects[Array(key.utf8)] else { throw .noSuchKey }
        return object
    }

    mutating func put(_ object: Object, at key: String, in bucket: String) throws(S3Failure) {
        guard buckets[bucket] != nil else { throw .noSuchBucket }
        buckets[bucket]?[Array(key.utf8)] = object
    }

    /// A missing object is no error, as in S3.
    mutating func delete(_ key: String, in bucket: String) throws(S3Failure) {
        guard buckets[bucket] != nil else { throw .noSuchBucket }
        buckets[bucket]?[Array(key.utf8)] = nil
    }

    /// The objects with a prefix behind a key, in the order of the keys' UTF-8 bytes.
    func list(_ bucket: String, prefix: String, after: String, limit: Int) throws(S3Failure) -> Page {
        guard let objects = buckets[bucket] else { throw .noSuchBucket }
        let keys = objects.keys.filter { $0.starts(with: prefix.utf8) && after.utf8.lexicographicallyPrecedes($0) }
            .sorted { $0.lexicographicallyPrecedes($1) }
        return Page(
            objects: keys.prefix(limit).compactMap { key in
                objects[key].map { (String(decoding: key, as: UTF8.self), $0) }
            },
            isTruncated: keys.count > limit)
    }

    func keys(in bucket: String) -> [String] {
        (buckets[bucket] ?? [:]).keys.map { String(decoding: $0, as: UTF8.self) }.sorted()
    }

    /// Changes an object's bytes behind the back of its clients.
    mutating func alter(_ key: String, in bucket: String, _ change: (inout [UInt8]) -> Void) {
        guard let object = buckets[bucket]?[Array(key.utf8)] else { return }
        var bytes = object.bytes
        change(&bytes)
        buckets[bucket]?[Array(key.utf8)] = Object(bytes, at: object.modified)
    }
}
