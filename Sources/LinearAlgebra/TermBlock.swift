/// How many sums are in the making at once: 64 KiB of them, which stay in the second cache while the terms go by.
let sumsInHand = 16_384

/// How many terms go by together: as many streams as the processor reads ahead without losing one.
let termsTogether = 8

/// Room for the parts of the terms that go by together.
struct TermRoom {
    private let room: UnsafeMutableRawBufferPointer
    private let partSize: Int

    /// Lends room for parts of at most `rows` × `columns` numbers.
    static func with(
        _ terms: [WeightedMatrix], rows: Int, columns: Int, _ body: (TermRoom) -> Void
    ) {
        let size = terms.reduce(0) {
            $1.fetch == nil ? $0 : max($0, $1.storage.byteCount(rows: rows, columns: columns))
        }
        withUnsafeTemporaryAllocation(byteCount: size * min(termsTogether, terms.count), alignment: 64) {
            body(TermRoom(room: $0, partSize: size))
        }
    }

    /// Where `count` bytes of a term are; those that are fetched stay until the place is used again.
    func part(of term: WeightedMatrix, at offset: Int, count: Int, place: Int) -> UnsafeRawPointer? {
        guard let fetch = term.fetch else { return term.bytes.baseAddress.map { $0 + offset } }
        let target = UnsafeMutableRawBufferPointer(rebasing: room[(place * partSize)...].prefix(count))
        fetch(offset, target)
        return target.baseAddress.map { UnsafeRawPointer($0) }
    }
}
