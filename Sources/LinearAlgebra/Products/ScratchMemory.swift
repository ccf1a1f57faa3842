import Synchronization

/// Scratch memory of kernels, kept between calls.
///
/// Without it, a sum over many modules would allocate and free a megabyte for each, and the allocator would keep
/// several times that.
enum ScratchMemory {
    /// A block; one caller at a time uses it.
    private struct Block: @unchecked Sendable {
        // Handed between threads under the lock of `spare`, and used by one thread at a time.
        let bytes: UnsafeMutableRawBufferPointer
    }

    private static let spare = Mutex<[Block]>([])
    /// How many blocks are kept, and their largest size.
    private static let limit = 16
    private static let largest = 1 << 22

    /// Lends a block of at least `byteCount` bytes, aligned for the widest vector registers.
    static func with(byteCount: Int, _ body: (UnsafeMutableRawBufferPointer) -> Void) {
        let known = spare.withLock { spare -> Block? in
            spare.firstIndex { $0.bytes.count >= byteCount }.map { spare.remove(at: $0) }
        }
        let block = known ?? Block(bytes: .allocate(byteCount: max(byteCount, 1), alignment: 64))
        body(block.bytes)
        let isKept = spare.withLock { spare in
            guard spare.count < limit, block.bytes.count <= largest else { return false }
            spare.append(block)
            return true
        }
        if !isKept { block.bytes.deallocate() }
    }
}
