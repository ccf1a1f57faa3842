import CLinux
import Crypto
import Foundation

/// A new file that a request body is hashed and written into, on a disk lane; a long one past the page cache.
actor BodyFile {
    /// From this length on the detour of a `DirectWriter` pays.
    private static let leastDirect = 4 << 20
    /// After so many bytes the kernel is asked to begin writing them back, so that the final sync finds little to do.
    private static let writeBackStep = 4 << 20

    nonisolated let executor: QueueExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    private let path: String
    private let watch: (@Sendable (UnsafeRawBufferPointer) -> Void)?
    private var descriptor: Int32 = -1
    private var byteCount = 0
    private var writtenBack = 0
    private var hasher = SHA256()
    private var writer: DirectWriter?

    /// - Parameter watch: sees the bytes too.
    init(path: String, lane: QueueExecutor, watch: (@Sendable (UnsafeRawBufferPointer) -> Void)? = nil) {
        self.path = path
        self.watch = watch
        executor = lane
    }

    /// - Parameter expected: how long the body says it is.
    func create(expecting expected: Int?) throws(RequestBodyError) {
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw RequestBodyError(fileError: errno) }
        if let expected, expected >= Self.leastDirect { writer = DirectWriter(descriptor: descriptor) }
    }

    /// - Returns: why the bytes could not be written.
    func append(_ block: MappedBuffer, _ count: Int) -> RequestBodyError? {
        let bytes = UnsafeRawBufferPointer(rebasing: block.bytes[..<count])
        byteCount += count
        do throws(RequestBodyError) {
            // The disk is given its part first, and works while this queue hashes.
            if let writer { try writer.append(bytes) } else { try write(bytes) }
        } catch {
            return error
        }
        hasher.update(bufferPointer: bytes)
        watch?(bytes)
        return nil
    }

    func finish(durably: Bool) throws(RequestBodyError) -> SavedBody {
        if let writer { try writer.finish() }
        writer = nil
        if durably, fdatasync(descriptor) != 0 { throw RequestBodyError(fileError: errno) }
        let failed = close(descriptor) != 0
        descriptor = -1
        guard !failed else { throw RequestBodyError(fileError: errno) }
        return SavedBody(byteCount: byteCount, sha256: Array(hasher.finalize()))
    }

    /// Takes the file away again.
    func discard() {
        writer?.settle()
        writer = nil
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
        unlink(path)
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws(RequestBodyError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = Foundation.write(descriptor, rest.baseAddress, rest.count)
            if count >= 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            } else if errno != EINTR {
                throw RequestBodyError(fileError: errno)
            }
        }
        guard byteCount - writtenBack >= Self.writeBackStep else { return }
        sync_file_range(
            descriptor, Int64(writtenBack), Int64(byteCount - writtenBack), UInt32(linux_sync_file_range_write))
        writtenBack = byteCount
    }
}
