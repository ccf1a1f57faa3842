import Foundation

/// Page-aligned memory between a socket and a disk. It is mapped, so freeing it returns it to the system.
///
/// `@unchecked`: Dispatch hands a buffer from queue to queue, and only its holder accesses its bytes.
final class MappedBuffer: @unchecked Sendable {
    let bytes: UnsafeMutableRawBufferPointer

    /// - Returns: nil when the system has no memory.
    init?(count: Int) {
        guard
            let start = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | Int32(MAP_ANONYMOUS), -1, 0),
            start != UnsafeMutableRawPointer(bitPattern: -1)
        else { return nil }
        bytes = UnsafeMutableRawBufferPointer(start: start, count: count)
    }

    deinit { munmap(bytes.baseAddress, bytes.count) }
}
