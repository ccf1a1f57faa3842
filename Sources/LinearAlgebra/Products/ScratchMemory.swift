import Synchronization

/// Memory that kernels work in, kept from call to call.
///
/// A sum over many modules would else allocate and free a megabyte for each, and the allocator keep several times that.
enum ScratchMemory {
    /// A block that one caller at a time has.
    private struct Block: @unchecked Sendable {
        // Handed from thread to thread under the lock of `spare`, and used by one at a time.
        let bytes: UnsafeMutableRawBufferPointer
    }

    private static let spare = Mutex<[Block]>([])
    /// How many blocks are kept, and of what size at most.
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
