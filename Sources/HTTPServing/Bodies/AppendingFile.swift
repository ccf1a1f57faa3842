import Crypto
import Foundation

/// An existing file that a request body is appended to, on a disk lane; what came stays, however the body ends.
///
/// It goes through the page cache, so that bytes outlive a process that is killed as soon as they are written.
actor AppendingFile: BodySink {
    nonisolated let executor: QueueExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    private let path: String
    private let start: Int
    private var length: Int
    private var writeBack: WriteBack
    private var descriptor: Int32 = -1
    private var hasher = SHA256()
    private var failure: RequestBodyError?

    /// - Parameter offset: where the body begins; what the file holds beyond it goes.
    init(path: String, offset: Int, lane: QueueExecutor) {
        self.path = path
        executor = lane
        start = offset
        length = offset
        writeBack = WriteBack(from: offset)
    }

    func open() throws(RequestBodyError) {
        descriptor = Foundation.open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw RequestBodyError(fileError: errno) }
        var status = stat()
        // A gap before the body would become zeros that nobody sent.
        guard fstat(descriptor, &status) == 0, Int(status.st_size) >= start else {
            throw .fileFailed(errno: EINVAL)
        }
        guard ftruncate(descriptor, off_t(start)) == 0 else { throw RequestBodyError(fileError: errno) }
    }

    nonisolated func take(_ block: MappedBuffer, _ count: Int) -> RequestBodyError? {
        assumeIsolated { $0.append(UnsafeRawBufferPointer(rebasing: block.bytes[..<count])) }
    }

    /// Makes durable what was written and lets go of the file.
    func close(after reason: RequestBodyError?) -> AppendedBody {
        if failure == nil { failure = reason }
        if descriptor >= 0 {
            if fdatasync(descriptor) != 0 {
                failure = RequestBodyError(fileError: errno)
                // What of it is on the disk cannot be told.
                length = start
                ftruncate(descriptor, off_t(start))
            }
            Foundation.close(descriptor)
            descriptor = -1
        }
        return AppendedBody(fileLength: length, sha256: Array(hasher.finalize()), failure: failure)
    }

    private func append(_ bytes: UnsafeRawBufferPointer) -> RequestBodyError? {
        // What follows a block that was not written would stand in the wrong place.
        if let failure { return failure }
        var rest = bytes
        while !rest.isEmpty {
            let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(length))
            if count >= 0 {
                hasher.update(bufferPointer: UnsafeRawBufferPointer(rebasing: rest[..<count]))
                length += count
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            } else if errno != EINTR {
                failure = RequestBodyError(fileError: errno)
                return failure
            }
        }
        writeBack.follow(to: length, of: descriptor)
        return nil
    }
}

/// What `RequestBody.append` has put into a file.
package struct AppendedBody: Sendable, Hashable {
    /// How long the file is now, all of it durable.
    package let fileLength: Int
    /// Of the bytes that this body brought; 32 bytes.
    package let sha256: [UInt8]
    /// Why the body is not there whole.
    package let failure: RequestBodyError?
}
