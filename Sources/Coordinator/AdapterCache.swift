import AdapterFormat
import Crypto
package import Federation
import Foundation
import Synchronization

/// Adapters rendered for download: immutable files, one a (federation, round, rank, type), all rebuildable from the store.
///
/// Bounded by bytes: what was used longest ago goes first. Files are rendered one at a time, so whoever asks for one
/// that is being rendered finds it there.
package final class AdapterCache: Sendable {
    struct Key: Hashable, Sendable {
        let federation: FederationID
        let round: Int
        let rank: Int
        let type: ScalarType
    }

    /// A rendered file.
    package struct File: Sendable, Hashable {
        package let path: String
        package let digest: ContentDigest
        package let byteCount: Int
    }

    private struct State {
        var files: [Key: (file: File, lastUse: UInt64)] = [:]
        var byteCount = 0
        var uses: UInt64 = 0
    }

    private let folder: String
    private let byteLimit: Int
    private let state = Mutex(State())
    private let queue = BlockingQueue(label: "render")

    /// Empties the folder: nothing in it is needed.
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

    /// The file of this key, rendered now if need be.
    func file(_ key: Key, from adapter: StoredAdapter, as plan: AdapterPlan) async throws(ServiceError) -> File {
        if let file = known(key) { return file }
        return try await queue.run { () throws(ServiceError) in
            if let file = self.known(key) { return file }
            let file = try self.render(key, from: adapter, as: plan)
            self.keep(file, as: key)
            return file
        }
    }

    private func known(_ key: Key) -> File? {
        state.withLock { state in
            guard let file = state.files[key]?.file else { return nil }
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

    private func render(_ key: Key, from adapter: StoredAdapter, as plan: AdapterPlan) throws(ServiceError) -> File {
        let path = "\(folder)/\(key.federation)-\(key.round)-\(key.rank)-\(key.type.rawValue).safetensors"
        do {
            let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw SystemError.last("open \(path)") }
            defer { close(descriptor) }
            let writer = try AdapterWriter(
                shape: plan.shape, ranks: plan.ranks(for: key.rank), scaling: plan.scaling, type: key.type,
                descriptor: descriptor)
            try writer.take(adapter)
            let (digest, byteCount) = try Self.digest(of: descriptor)
            return File(path: path, digest: digest, byteCount: byteCount)
        } catch {
            unlink(path)
            switch error {
            case let error as StoreError: throw .store(error)
            case SafetensorsWriteError.system(let error) where error.code == ENOSPC || error.code == EDQUOT:
                throw .store(.full)
            default: throw .internalFailure("rendering \(path): \(error)")
            }
        }
    }

    private static func digest(of descriptor: Int32) throws -> (ContentDigest, byteCount: Int) {
        var hash = SHA256()
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var offset = 0
        while true {
            let count = pread(descriptor, &buffer, buffer.count, off_t(offset))
            guard count >= 0 else { throw SystemError.last("pread") }
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
