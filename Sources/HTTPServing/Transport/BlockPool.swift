/// A shard's blocks, which limit the memory of all its uploads together.
struct BlockPool {
    private static let blockSize = 256 << 10
    private static let most = 32
    private static let mostIdle = 4
    private var idle: [MappedBuffer] = []
    private var lent = 0

    var hasRoom: Bool { lent < Self.most }

    /// - Returns: nil when all are in use.
    mutating func take() -> MappedBuffer? {
        guard hasRoom, let block = idle.popLast() ?? MappedBuffer(count: Self.blockSize) else { return nil }
        lent += 1
        return block
    }

    mutating func put(_ block: MappedBuffer) {
        lent -= 1
        idle.append(block)
    }

    /// Frees the blocks that a burst has left.
    mutating func trim() {
        guard lent == 0, idle.count > Self.mostIdle else { return }
        idle.removeLast(idle.count - Self.mostIdle)
    }
}
