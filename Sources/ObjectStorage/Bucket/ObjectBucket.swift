package import Logging

/// One bucket of an S3-compatible object store, with all keys under one prefix.
///
/// Every operation is idempotent and tries again while its patience lasts, so a caller may repeat it as well. Calls
/// never block Swift's cooperative threads: transfers run on threads of their own. A queue that may block uses
/// `blocking`, which has the same operations.
package final class ObjectBucket: Sendable {
    package let location: BucketLocation
    private let patience: ObjectPatience
    private let store: StoreClient
    private let lanes: FetchLanes

    /// Opens nothing yet: the first call connects and reads the credentials.
    package convenience init(
        _ configuration: Configuration, logger: Logger = Logger(label: "rankwise.objects")
    ) throws(ObjectError) {
        try self.init(configuration, clock: .system, logger: logger)
    }

    init(_ configuration: Configuration, clock: CallClock, logger: Logger) throws(ObjectError) {
        location = configuration.location
        patience = configuration.patience
        store = try StoreClient(configuration, clock: clock, logger: logger)
        lanes = try FetchLanes(count: configuration.connections, tls: store.tls, clock: clock)
    }

    /// Stores the bytes of a file from `offset` to its end under a key, durable on return; replaces an object that is there.
    ///
    /// The store checks the digest while it takes the bytes, so an altered file or transfer is never stored.
    /// - Parameter sha256: of these bytes; 32 bytes.
    package func put(
        _ key: String, file path: String, from offset: Int = 0, byteCount: Int, sha256: [UInt8],
        patience: ObjectPatience? = nil
    ) async throws(ObjectError) {
        try await run(patience) { call throws(ObjectError) in
            try call.put(key, file: path, from: offset, byteCount: byteCount, sha256: sha256)
        }
    }

    /// Stores bytes under a key, durable on return; replaces an object that is there.
    package func put(_ key: String, _ bytes: [UInt8], patience: ObjectPatience? = nil) async throws(ObjectError) {
        try await run(patience) { call throws(ObjectError) in try call.put(key, bytes) }
    }

    /// Writes an object to a local file, which is replaced, and checks its length and digest.
    ///
    /// The file has its name only once it is whole and checked; it is not synced to the disk.
    /// - Parameter sha256: 32 bytes; nil where the caller knows none and checks the file itself.
    package func get(
        _ key: String, to path: String, expecting byteCount: Int, sha256: [UInt8]?, patience: ObjectPatience? = nil
    ) async throws(ObjectError) {
        try await run(patience) { call throws(ObjectError) in
            try call.get(key, to: path, expecting: byteCount, sha256: sha256)
        }
    }

    /// A part of an object in memory. Throws `.damaged` where the object ends before the range does.
    package func get(
        _ key: String, _ range: Range<Int>, patience: ObjectPatience? = nil
    ) async throws(ObjectError) -> [UInt8] {
        try await run(patience) { call throws(ObjectError) in try call.get(key, range) }
    }

    /// A whole object in memory. Throws `.damaged` where it is longer than `limit`.
    package func get(
        _ key: String, upTo limit: Int, patience: ObjectPatience? = nil
    ) async throws(ObjectError) -> [UInt8] {
        try await run(patience) { call throws(ObjectError) in try call.get(key, upTo: limit) }
    }

    /// What the store says of an object; throws `.missing` where there is none.
    package func head(_ key: String, patience: ObjectPatience? = nil) async throws(ObjectError) -> ObjectInfo {
        try await run(patience) { call throws(ObjectError) in try call.head(key) }
    }

    /// Deletes objects, each by a request of its own and as many at once as there are connections; one that is missing
    /// is no error. The patience is each object's. After the first error, which is thrown, no more are begun.
    package func delete(_ keys: [String], patience: ObjectPatience? = nil) async throws(ObjectError) {
        let failure = await withTaskGroup(of: ObjectError?.self) { group in
            var rest = keys.makeIterator()
            var failure: ObjectError?
            func begin() {
                guard failure == nil, let key = rest.next() else { return }
                group.addTask {
                    do throws(ObjectError) {
                        try await self.run(patience) { call throws(ObjectError) in try call.delete(key) }
                        return nil
                    } catch {
                        return error
                    }
                }
            }
            for _ in 0..<lanes.count { begin() }
            for await result in group {
                failure = failure ?? result
                begin()
            }
            return failure
        }
        if let failure { throw failure }
    }

    /// The objects whose keys begin with `prefix`, a page at a time.
    ///
    /// - Parameters:
    ///   - prefix: below the bucket's own; it need not end with a slash.
    ///   - after: only keys behind this one: the `next` of the page before, or nil for the first page.
    ///   - limit: the most objects of a page; stores give at most 1000.
    package func list(
        _ prefix: String, after: String? = nil, limit: Int = 1000, patience: ObjectPatience? = nil
    ) async throws(ObjectError) -> ObjectPage {
        try await run(patience) { call throws(ObjectError) in try call.list(prefix, after: after, limit: limit) }
    }

    /// Throws unless the store answers, knows the bucket and lets these credentials list it.
    package func probe(patience: ObjectPatience = .short) async throws(ObjectError) {
        try await run(patience) { call throws(ObjectError) in _ = try call.list("", after: nil, limit: 1) }
    }

    private func run<Value: Sendable>(
        _ patience: ObjectPatience?, _ work: @escaping @Sendable (borrowing ObjectCall) throws(ObjectError) -> Value
    ) async throws(ObjectError) -> Value {
        try await lanes.run(store, patience ?? self.patience, work)
    }
}

extension ObjectBucket {
    /// The same operations for queues that may block. Must not be called on Swift's cooperative threads.
    package struct Blocking: Sendable {
        fileprivate let bucket: ObjectBucket

        package var location: BucketLocation { bucket.location }

        /// See `ObjectBucket.put(_:file:from:byteCount:sha256:patience:)`.
        package func put(
            _ key: String, file path: String, from offset: Int = 0, byteCount: Int, sha256: [UInt8],
            patience: ObjectPatience? = nil
        ) throws(ObjectError) {
            try run(patience) { call throws(ObjectError) in
                try call.put(key, file: path, from: offset, byteCount: byteCount, sha256: sha256)
            }
        }

        /// See `ObjectBucket.put(_:_:patience:)`.
        package func put(_ key: String, _ bytes: [UInt8], patience: ObjectPatience? = nil) throws(ObjectError) {
            try run(patience) { call throws(ObjectError) in try call.put(key, bytes) }
        }

        /// See `ObjectBucket.get(_:to:expecting:sha256:patience:)`.
        package func get(
            _ key: String, to path: String, expecting byteCount: Int, sha256: [UInt8]?, patience: ObjectPatience? = nil
        ) throws(ObjectError) {
            try run(patience) { call throws(ObjectError) in
                try call.get(key, to: path, expecting: byteCount, sha256: sha256)
            }
        }

        /// See `ObjectBucket.get(_:_:patience:)`.
        package func get(
            _ key: String, _ range: Range<Int>, patience: ObjectPatience? = nil
        ) throws(ObjectError) -> [UInt8] {
            try run(patience) { call throws(ObjectError) in try call.get(key, range) }
        }

        /// See `ObjectBucket.get(_:upTo:patience:)`.
        package func get(
            _ key: String, upTo limit: Int, patience: ObjectPatience? = nil
        ) throws(ObjectError) -> [UInt8] {
            try run(patience) { call throws(ObjectError) in try call.get(key, upTo: limit) }
        }

        /// See `ObjectBucket.head(_:patience:)`.
        package func head(_ key: String, patience: ObjectPatience? = nil) throws(ObjectError) -> ObjectInfo {
            try run(patience) { call throws(ObjectError) in try call.head(key) }
        }

        /// See `ObjectBucket.delete(_:patience:)`.
        package func delete(_ keys: [String], patience: ObjectPatience? = nil) throws(ObjectError) {
            try bucket.lanes.runBlocking(keys, bucket.store, patience ?? bucket.patience) {
                key, call throws(ObjectError) in
                try call.delete(key)
            }
        }

        /// See `ObjectBucket.list(_:after:limit:patience:)`.
        package func list(
            _ prefix: String, after: String? = nil, limit: Int = 1000, patience: ObjectPatience? = nil
        ) throws(ObjectError) -> ObjectPage {
            try run(patience) { call throws(ObjectError) in try call.list(prefix, after: after, limit: limit) }
        }

        /// See `ObjectBucket.probe(patience:)`.
        package func probe(patience: ObjectPatience = .short) throws(ObjectError) {
            try run(patience) { call throws(ObjectError) in _ = try call.list("", after: nil, limit: 1) }
        }

        private func run<Value: Sendable>(
            _ patience: ObjectPatience?,
            _ work: @escaping @Sendable (borrowing ObjectCall) throws(ObjectError) -> Value
        ) throws(ObjectError) -> Value {
            try bucket.lanes.runBlocking(bucket.store, patience ?? bucket.patience, work)
        }
    }

    package var blocking: Blocking { Blocking(bucket: self) }
}
