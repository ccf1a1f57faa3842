import AdapterFormat
import Crypto
import DurableFiles
package import Federation
import Foundation
import Synchronization

/// Adapters, merges and models rendered for download. The files are immutable and can be rebuilt from the store.
///
/// The cache is bounded by bytes and evicts the least recently used file. Callers that ask for a file while it is
/// rendered wait for that rendering.
package final class AdapterCache: Sendable {
    struct Key: Hashable, Sendable {
        let federation: FederationID
        let content: Content
        let type: ScalarType
    }

    /// The content of a file.
    enum Content: Hashable, Sendable {
        /// The adapter that a round published, cut to the ranks of a client of rank `rank` in round `trainedIn`.
        case adapter(round: Int, rank: Int, trainedIn: Int, bits: MessageBits?)
        /// The sum of the merges of the rounds (since, through].
        case merge(since: Int, through: Int)
        /// All merges up to a round plus its adapter, at most of this rank.
        case model(round: Int, rank: Int?)
    }

    /// A rendered file.
    package struct File: Sendable, Hashable {
        package let path: String
        package let digest: ContentDigest
        package let byteCount: Int
        /// The rank of every module in the file.
        let ranks: [String: Int]
    }

    /// Writes a file's content to a descriptor and returns the rank of every module in it.
    typealias Rendering = @Sendable (_ descriptor: Int32, _ interruption: Interruption) throws -> [String: Int]

    private struct State {
        var files: [Key: (file: File, lastUse: UInt64)] = [:]
        var byteCount = 0
        var uses: UInt64 = 0
        /// A counter of renderings. Each has a file of its own, because an abandoned one may still be writing.
        var renderings = 0
    }

    private let folder: String
    private let byteLimit: Int
    private let state = Mutex(State())
    let flights = RenderingFlights()

    /// Empties the folder, since every file can be rendered again.
    package init(folder: String, byteLimit: Int) throws(ServiceError) {
        self.folder = folder
        self.byteLimit = byteLimit
        do {
            if FileManager.default.fileExists(atPath: folder) { try FileManager.default.removeItem(atPath: folder) }
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw .internalFailure("the cache folder \(folder) cannot be made: \(error)")
        }
    }

    /// The file of this key, rendered first if it is missing; `.abandoned` once the calling task is cancelled.
    ///
    /// - Parameters:
    ///   - caller: the caller whose turn is used. The server itself passes nil; it waits for no turn and never gives
    ///     up.
    ///   - lanes: the lanes on which files of this kind are rendered for callers.
    ///   - queue: the queue for the server's own renderings; nil for the first lane.
    func file(
        _ key: Key, for caller: RenderingCaller?, on lanes: RenderingLanes, own queue: BlockingQueue? = nil,
        rendering: @escaping Rendering
    ) async throws(ServiceError) -> File {
        if let file = known(key) { return file }
        guard let caller else {
            return try await (queue ?? lanes.queues[0]).run { () throws(ServiceError) in
                try self.outcome(of: key, Interruption(), by: rendering).get()
            }
        }
        let outcome = await flights.outcome(of: key) { interruption, end throws(ServiceError) in
            try lanes.submit(for: caller) { end(self.outcome(of: key, interruption, by: rendering)) }
        }
        return try outcome.get()
    }

    private func outcome(
        of key: Key, _ interruption: Interruption, by rendering: Rendering
    ) -> Result<File, ServiceError> {
        if let file = known(key) { return .success(file) }
        do throws(ServiceError) {
            try interruption.check()
            return .success(try render(key, interruption, by: rendering))
        } catch {
            return .failure(error)
        }
    }

    /// Deletes the rendered files of a federation.
    ///
    /// - Parameter rounds: nil for all of them.
    func forget(_ federation: FederationID, rounds: Set<Int>? = nil) {
        let files = state.withLock { state in
            let keys = state.files.keys.filter { key in
                guard key.federation == federation else { return false }
                guard let rounds else { return true }
                switch key.content {
                case .adapter(let round, _, _, _), .model(let round, _): return rounds.contains(round)
                case .merge: return false
                }
            }
            return keys.compactMap { key in
                guard let file = state.files.removeValue(forKey: key)?.file else { return nil as File? }
                state.byteCount -= file.byteCount
                return file
            }
        }
        for file in files { unlink(file.path) }
    }

    private func known(_ key: Key) -> File? {
        state.withLock { state in
            guard let file = state.files[key]?.file else { return nil }
            // If somebody has emptied the folder, the file is rendered again.
            guard access(file.path, R_OK) == 0 else {
                state.files[key] = nil
                state.byteCount -= file.byteCount
                return nil
            }
            state.uses += 1
            state.files[key]?.lastUse = state.uses
            return file
        }
    }

    private func keep(_ file: File, as key: Key) {
        let evicted = state.withLock { state in
            state.uses += 1
            state.files[key] = (file, state.uses)
            state.byteCount += file.byteCount
            var evicted: [File] = []
            while state.byteCount > byteLimit, state.files.count > 1,
                let oldest = state.files.min(by: { $0.value.lastUse < $1.value.lastUse })
            {
                state.files[oldest.key] = nil
                state.byteCount -= oldest.value.file.byteCount
                evicted.append(oldest.value.file)
            }
            return evicted
        }
        for file in evicted { unlink(file.path) }
    }

    private func render(
        _ key: Key, _ interruption: Interruption, by rendering: Rendering
    ) throws(ServiceError) -> File {
        let draft = try begin(key)
        do {
            return try draft.finish(ranks: try rendering(draft.descriptor, interruption))
        } catch {
            switch error {
            case let error as ServiceError: throw error
            case let error as StoreError: throw .store(error)
            case SafetensorsWriteError.system(let error) where SystemError.isNoRoom(error.code):
                throw .store(.full)
            default: throw .internalFailure("rendering \(draft.path): \(error)")
            }
        }
    }

    /// Begins a file that the caller writes.
    func begin(_ key: Key) throws(ServiceError) -> Draft {
        let number = state.withLock { state in
            state.renderings += 1
            return state.renderings
        }
        mkdir(folder, 0o700)
        let path = "\(folder)/\(key.fileName)~\(number).safetensors"
        do throws(FileError) {
            return Draft(of: key, file: try OwnedFile(path, for: .replacingToRead), in: self)
        } catch {
            throw error.reason == .full ? .store(.full) : .internalFailure("\(error)")
        }
    }

    /// A file being written. It is deleted unless it is finished.
    final class Draft: Sendable {
        private let file: OwnedFile
        private let key: Key
        private let cache: AdapterCache
        private let isFinished = Atomic(false)

        var path: String { file.path }
        var descriptor: Int32 { file.number }

        fileprivate init(of key: Key, file: OwnedFile, in cache: AdapterCache) {
            (self.key, self.file, self.cache) = (key, file, cache)
        }

        deinit {
            if !isFinished.load(ordering: .relaxed) { unlink(path) }
        }

        /// Hashes the written file and keeps it.
        ///
        /// - Parameter ranks: of every module in it.
        func finish(ranks: [String: Int]) throws(ServiceError) -> File {
            let rendered: File
            do {
                let (digest, byteCount) = try AdapterCache.digest(of: file)
                rendered = File(path: path, digest: digest, byteCount: byteCount, ranks: ranks)
            } catch {
                throw .internalFailure("\(path): \(error)")
            }
            isFinished.store(true, ordering: .relaxed)
            cache.keep(rendered, as: key)
            return rendered
        }
    }

    private static func digest(of file: OwnedFile) throws -> (ContentDigest, byteCount: Int) {
        var hash = SHA256()
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var offset = 0
        while true {
            let count = try buffer.withUnsafeMutableBytes { try file.read(into: $0, at: offset) }
            if count == 0 { break }
            buffer.withUnsafeBytes { hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            offset += count
        }
        guard let digest = ContentDigest(bytes: Array(hash.finalize())) else {
            throw ServiceError.internalFailure("SHA-256 of another length")
        }
        return (digest, offset)
    }
}

extension AdapterCache.Key {
    /// A name that no other key has: federations' names hold no `~`.
    fileprivate var fileName: String {
        let content =
            switch content {
            case .adapter(let round, let rank, let trained, let bits):
                "adapter~\(round)~\(rank)~\(trained)~\(bits?.rawValue ?? 0)"
            case .merge(let since, let through): "merge~\(since)~\(through)"
            case .model(let round, let rank): "model~\(round)~\(rank.map(String.init) ?? "all")"
            }
        return "\(federation)~\(content)~\(type.rawValue)"
    }
}
