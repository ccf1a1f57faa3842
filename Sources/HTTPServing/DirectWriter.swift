import CLinux
import Dispatch
import Foundation

/// Writes a long body to its file past the page cache: one buffer goes to the disk while the next one fills.
///
/// From memory to disk without a second copy that the final sync would have to wait for. What the file system does not
/// take that way, the unaligned end above all, goes through the cache.
///
/// `@unchecked`: its owner calls it from one queue at a time, and waits for the write under way before it touches what that
/// write uses.
final class DirectWriter: @unchecked Sendable {
    private static let bufferSize = 512 << 10

    private let descriptor: Int32
    private let queue = DispatchQueue(label: "http.disk.direct", qos: .utility)
    private var filling: MappedBuffer
    private var writing: MappedBuffer
    private var filled = 0
    private var underWay: DispatchWorkItem?
    /// Of the write that ended last.
    private var failure: Int32 = 0
    private var isDirect = false

    /// - Returns: nil when the system has no memory for the buffers.
    init?(descriptor: Int32) {
        guard let filling = MappedBuffer(count: Self.bufferSize), let writing = MappedBuffer(count: Self.bufferSize)
        else { return nil }
        self.descriptor = descriptor
        self.filling = filling
        self.writing = writing
        _ = setDirect(true)
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(RequestBodyError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = min(rest.count, filling.bytes.count - filled)
            UnsafeMutableRawBufferPointer(rebasing: filling.bytes[filled...])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: rest[..<count]))
            filled += count
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            if filled == filling.bytes.count { try flush() }
        }
    }

    /// Writes what is left and waits until all of it is written.
    func finish() throws(RequestBodyError) {
        try wait()
        guard setDirect(false) else { throw RequestBodyError(fileError: errno) }
        try flush()
        try wait()
    }

    /// Waits for the write under way, whatever comes of it.
    func settle() {
        underWay?.wait()
        underWay = nil
    }

    private func wait() throws(RequestBodyError) {
        settle()
        guard failure == 0 else { throw RequestBodyError(fileError: failure) }
    }

    private func flush() throws(RequestBodyError) {
        try wait()
        guard filled > 0 else { return }
        swap(&filling, &writing)
        let count = filled
        filled = 0
        let item = DispatchWorkItem { self.failure = self.write(count) }
        underWay = item
        queue.async(execute: item)
    }

    /// - Returns: an errno, or 0.
    private func write(_ count: Int) -> Int32 {
        var rest = UnsafeRawBufferPointer(rebasing: writing.bytes[..<count])
        while !rest.isEmpty {
            let count = Foundation.write(descriptor, rest.baseAddress, rest.count)
            if count >= 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            } else if errno == EINVAL, isDirect {
                // The file system takes direct writes in other sizes only, or not at all.
                guard setDirect(false) else { return errno }
            } else if errno != EINTR {
                return errno
            }
        }
        return 0
    }

    private func setDirect(_ wanted: Bool) -> Bool {
        guard fcntl(descriptor, F_SETFL, wanted ? Int32(linux_o_direct) : 0) == 0 else { return false }
        isDirect = wanted
        return true
    }
}
