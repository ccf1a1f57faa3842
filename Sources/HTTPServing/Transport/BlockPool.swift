/// A shard's blocks, which bound what all of its uploads together hold in memory.
struct BlockPool {
    private static let blockSize = 256 << 10
    private static let most = 32
    private static let mostIdle = 4
    private var idle: [MappedBuffer] = []
    private var lent = 0

    var hasRoom: Bool { lent < Self.most }

    /// - Returns: nil when all are lent.
    mutating func take() -> MappedBuffer? {
        guard hasRoom, let block = idle.popLast() ?? MappedBuffer(count: Self.blockSize) else { return nil }
        lent += 1
        return block
    }

    mutating func put(_ block: MappedBuffer) {
        lent -= 1
        idle.append(block)
    }

    /// Gives back what a burst has left behind.
    mutating func trim() {
        guard lent == 0, idle.count > Self.mostIdle else { return }
        idle.removeLast(idle.count - Self.mostIdle)
    }
}
