import Foundation

/// Memory on its way from a socket to a disk.
///
/// `@unchecked`: a block is handed from queue to queue by Dispatch, and only its holder touches its bytes.
final class TransferBlock: @unchecked Sendable {
    static let size = 256 << 10
    let bytes: UnsafeMutableRawBufferPointer

    /// Mapped, not from the heap, so that freed blocks go back to the system.
    init?() {
        guard
            let start = mmap(nil, Self.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | Int32(MAP_ANONYMOUS), -1, 0),
            start != UnsafeMutableRawPointer(bitPattern: -1)
        else { return nil }
        bytes = UnsafeMutableRawBufferPointer(start: start, count: Self.size)
    }

    deinit { munmap(bytes.baseAddress, bytes.count) }
}

/// A shard's blocks, which bound what all of its uploads together hold in memory.
struct BlockPool {
    private static let most = 32
    private static let mostIdle = 4
    private var idle: [TransferBlock] = []
    private var lent = 0

    var hasRoom: Bool { lent < Self.most }

    /// - Returns: nil when all are lent.
    mutating func take() -> TransferBlock? {
        guard hasRoom, let block = idle.popLast() ?? TransferBlock() else { return nil }
        lent += 1
        return block
    }

    mutating func put(_ block: TransferBlock) {
        lent -= 1
        idle.append(block)
    }

    /// Gives back what a burst has left behind.
    mutating func trim() {
        guard lent == 0, idle.count > Self.mostIdle else { return }
        idle.removeLast(idle.count - Self.mostIdle)
    }
}
