import Glibc

/// Lends the numbers of a large file's tensors piece by piece, for one pass in their order.
///
/// What is in the page cache is borrowed from the mapping; what is not is read past the cache, window by window, because a
/// pass through the mapping would wait for page faults and push out what others use.
struct TensorSweep: ~Copyable {
    /// Below this length a file is not worth the window.
    private static let leastBytes = 4 << 20
    private static let windowSize = 1 << 20
    /// What direct reads may ask for on any disk.
    private static let alignment = 4096

    private let storage: TensorStorage
    /// Reads past the page cache; negative where the file is small, or its file system knows no such reads.
    private let descriptor: Int32
    /// Empty without a descriptor.
    private let window: UnsafeMutableRawBufferPointer
    /// The part of the file that stands in the window, or nothing.
    private var held = 0..<0

    init(_ storage: TensorStorage) {
        self.storage = storage
        descriptor = storage.count >= Self.leastBytes ? storage.openDirect() ?? -1 : -1
        window = .allocate(byteCount: descriptor >= 0 ? Self.windowSize : 0, alignment: Self.alignment)
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
        window.deallocate()
    }

    /// Lends `range` of the storage in pieces of whole elements.
    mutating func forEachPiece(
        of storage: TensorStorage, in range: Range<Int>, elementSize: Int, _ body: (UnsafeRawBufferPointer) -> Void
    ) {
        precondition(storage === self.storage, "a tensor of another file")
        var position = range.lowerBound
        while position < range.upperBound {
            if !held.contains(position) || held.upperBound - position < elementSize { load(from: position) }
            let count = min(held.upperBound, range.upperBound) - position
            let whole = count - count % elementSize
            if whole > 0 {
                body(UnsafeRawBufferPointer(rebasing: window[(position - held.lowerBound)...].prefix(whole)))
                position += whole
            } else {
                // In the page cache, or not to be read: the mapping has it.
                let end = min(range.upperBound, position + Self.windowSize / elementSize * elementSize)
                storage.withBytes { body(UnsafeRawBufferPointer(rebasing: $0[position..<end])) }
                position = end
            }
        }
    }

    /// Fills the window from the page of `position` on, unless that page is in the page cache.
    private mutating func load(from position: Int) {
        let start = position / Self.alignment * Self.alignment
        held = start..<start
        guard descriptor >= 0, !storage.isResident(at: start) else { return }
        var count = pread(descriptor, window.baseAddress, window.count, off_t(start))
        while count < 0, errno == EINTR { count = pread(descriptor, window.baseAddress, window.count, off_t(start)) }
        held = start..<start + max(0, count)
    }
}
