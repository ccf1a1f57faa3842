import Crypto
import Foundation

/// An existing file to which a request body is appended, on a disk lane. However the body ends, the received bytes
/// stay.
///
/// It writes through the page cache, so written bytes survive a kill of the process.
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

    /// - Parameter offset: where the body begins; the file's contents after it are cut off.
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
        // A gap before the body would become zeros that the client never sent.
        guard fstat(descriptor, &status) == 0, Int(status.st_size) >= start else {
            throw .fileFailed(errno: EINVAL)
        }
        guard ftruncate(descriptor, off_t(start)) == 0 else { throw RequestBodyError(fileError: errno) }
    }

    nonisolated func take(_ block: MappedBuffer, _ count: Int) -> RequestBodyError? {
        assumeIsolated { $0.append(UnsafeRawBufferPointer(rebasing: block.bytes[..<count])) }
    }

    /// Makes the written bytes durable and closes the file.
    func close(after reason: RequestBodyError?) -> AppendedBody {
        if failure == nil { failure = reason }
        if descriptor >= 0 {
            if fdatasync(descriptor) != 0 {
                failure = RequestBodyError(fileError: errno)
                // It is unknown how much of it is on the disk.
                length = start
                ftruncate(descriptor, off_t(start))
            }
            Foundation.close(descriptor)
            descriptor = -1
        }
        return AppendedBody(fileLength: length, sha256: Array(hasher.finalize()), failure: failure)
    }

    private func append(_ bytes: UnsafeRawBufferPointer) -> RequestBodyError? {
        // After a failed block, the next block would be at the wrong place.
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

/// The result of `RequestBody.append`.
package struct AppendedBody: Sendable, Hashable {
    /// The file's length now, all of it durable.
    package let fileLength: Int
    /// The SHA-256 of this body's bytes; 32 bytes.
    package let sha256: [UInt8]
    /// Why the body is incomplete; nil where it is complete.
    package let failure: RequestBodyError?
}
