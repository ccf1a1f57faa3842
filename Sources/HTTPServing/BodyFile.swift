import CLinux
import Crypto
import Foundation

/// A new file that a request body is hashed and written into, on a disk lane.
///
/// A long body goes around the page cache: from memory to disk without a second copy that the final sync would have to
/// wait for. Whatever it cannot take that way, the unaligned end above all, goes through the cache.
actor BodyFile {
    /// From this length on the detour of staging pays.
    private static let leastDirect = 4 << 20
    private static let stagingSize = 1 << 20
    /// After so many bytes the kernel is asked to begin writing them back, so that the final sync finds little to do.
    private static let writeBackStep = 4 << 20

    nonisolated let executor: QueueExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    private let path: String
    private var descriptor: Int32 = -1
    private var byteCount = 0
    private var writtenBack = 0
    private var hasher = SHA256()
    private var staging: MappedBuffer?
    private var staged = 0
    private var isDirect = false

    init(path: String, lane: QueueExecutor) {
        self.path = path
        executor = lane
    }

    /// - Parameter expected: how long the body says it is.
    func create(expecting expected: Int?) throws(RequestBodyError) {
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw RequestBodyError(fileError: errno) }
        guard let expected, expected >= Self.leastDirect else { return }
        staging = MappedBuffer(count: Self.stagingSize)
        if staging != nil { _ = setDirect(true) }
    }

    /// - Returns: why the bytes could not be written.
    func append(_ block: MappedBuffer, _ count: Int) -> RequestBodyError? {
        let bytes = UnsafeRawBufferPointer(rebasing: block.bytes[..<count])
        hasher.update(bufferPointer: bytes)
        byteCount += count
        do throws(RequestBodyError) {
            if let staging {
                try stage(bytes, in: staging)
            } else {
                try write(bytes)
                beginWriteBack()
            }
            return nil
        } catch {
            return error
        }
    }

    func finish(durably: Bool) throws(RequestBodyError) -> SavedBody {
        if let staging, staged > 0 {
            guard setDirect(false) else { throw RequestBodyError(fileError: errno) }
            try write(UnsafeRawBufferPointer(rebasing: staging.bytes[..<staged]))
        }
        staging = nil
        if durably, fdatasync(descriptor) != 0 { throw RequestBodyError(fileError: errno) }
        let failed = close(descriptor) != 0
        descriptor = -1
        guard !failed else { throw RequestBodyError(fileError: errno) }
        return SavedBody(byteCount: byteCount, sha256: Array(hasher.finalize()))
    }

    /// Takes the file away again.
    func discard() {
        staging = nil
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
        unlink(path)
    }

    private func stage(_ bytes: UnsafeRawBufferPointer, in staging: MappedBuffer) throws(RequestBodyError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = min(rest.count, staging.bytes.count - staged)
            UnsafeMutableRawBufferPointer(rebasing: staging.bytes[staged...])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: rest[..<count]))
            staged += count
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            guard staged == staging.bytes.count else { return }
            staged = 0
            try write(UnsafeRawBufferPointer(staging.bytes))
        }
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws(RequestBodyError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = Foundation.write(descriptor, rest.baseAddress, rest.count)
            if count >= 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            } else if errno == EINVAL, isDirect {
                // The file system takes direct writes in other sizes only, or not at all.
                guard setDirect(false) else { throw RequestBodyError(fileError: errno) }
            } else if errno != EINTR {
                throw RequestBodyError(fileError: errno)
            }
        }
    }

    private func beginWriteBack() {
        guard byteCount - writtenBack >= Self.writeBackStep else { return }
        sync_file_range(
            descriptor, Int64(writtenBack), Int64(byteCount - writtenBack), UInt32(linux_sync_file_range_write))
        writtenBack = byteCount
    }

    private func setDirect(_ wanted: Bool) -> Bool {
        guard fcntl(descriptor, F_SETFL, wanted ? Int32(linux_o_direct) : 0) == 0 else { return false }
        isDirect = wanted
        return true
    }
}
