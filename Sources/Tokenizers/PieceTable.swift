/// The tokens of a vocabulary by their bytes.
struct PieceTable: Sendable {
    /// All pieces, one after the other; piece i is from bound i to the next one.
    private let bytes: [UInt8]
    private let bounds: [Int]
    /// Ids, or -1 for an empty slot.
    private var slots: [Int32]

    /// - Parameter isFound: whether a piece can be found by its bytes. Of two equal pieces, none may be found but one.
    init(_ pieces: [[UInt8]], isFound: (Int) -> Bool) {
        var bytes: [UInt8] = []
        var bounds = [0]
        for piece in pieces {
            bytes.append(contentsOf: piece)
            bounds.append(bytes.count)
        }
        self.bytes = bytes
        self.bounds = bounds
        var capacity = 16
        while capacity < 2 * pieces.count { capacity *= 2 }
        slots = Array(repeating: -1, count: capacity)
        for (id, piece) in pieces.enumerated() where isFound(id) {
            var place = piece.withUnsafeBufferPointer { Self.hash($0) } & (capacity - 1)
            while slots[place] >= 0 { place = (place + 1) & (capacity - 1) }
            slots[place] = Int32(id)
        }
    }

    subscript(id: Int) -> ArraySlice<UInt8> { bytes[bounds[id]..<bounds[id + 1]] }

    var count: Int { bounds.count - 1 }

    func id(of piece: UnsafeBufferPointer<UInt8>) -> Int32? {
        var place = Self.hash(piece) & (slots.count - 1)
        while slots[place] >= 0 {
            let id = Int(slots[place])
            if bounds[id + 1] - bounds[id] == piece.count, equals(bounds[id], piece) { return slots[place] }
            place = (place + 1) & (slots.count - 1)
        }
        return nil
    }

    func id(of piece: some Collection<UInt8>) -> Int32? {
        Array(piece).withUnsafeBufferPointer { id(of: $0) }
    }

    private func equals(_ start: Int, _ piece: UnsafeBufferPointer<UInt8>) -> Bool {
        for index in 0..<piece.count where bytes[start + index] != piece[index] { return false }
        return true
    }

    /// FNV-1a, with its high bits folded in.
    private static func hash(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return Int(truncatingIfNeeded: hash ^ (hash &>> 32))
    }
}
