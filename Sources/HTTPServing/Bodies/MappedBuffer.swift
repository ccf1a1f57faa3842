import Foundation

/// Page-aligned memory on its way from a socket to a disk, mapped so that it goes back to the system when freed.
///
/// `@unchecked`: a buffer is handed from queue to queue by Dispatch, and only its holder touches its bytes.
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
