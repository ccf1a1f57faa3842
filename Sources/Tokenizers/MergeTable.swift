/// The merges of a byte-pair encoding: what two neighbouring tokens become, and how early.
struct MergeTable: Sendable {
    struct Merge: Sendable {
        /// The lowest is merged first.
        let rank: UInt32
        let result: Int32
    }

    private struct Slot: Sendable {
        /// Left token above right token.
        var key: UInt64
        var merge: Merge
    }

    /// No pair of tokens: they are below 2³¹.
    private static let empty = UInt64.max

    private var slots: [Slot]
    private let shift: UInt64
    private(set) var count = 0

    /// - Parameter merges: left token, right token and result, in their order. Where a pair comes twice, the last one counts.
    init(_ merges: [(left: Int32, right: Int32, result: Int32)]) {
        var bits: UInt64 = 4
        while 1 << bits < 2 * merges.count { bits += 1 }
        shift = 64 - bits
        slots = Array(
            repeating: Slot(key: Self.empty, merge: Merge(rank: 0, result: 0)), count: 1 << bits)
        for (rank, merge) in merges.enumerated() {
            let key = Self.key(merge.left, merge.right)
            var place = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) &>> shift)
            while slots[place].key != Self.empty, slots[place].key != key { place = (place + 1) & (slots.count - 1) }
            if slots[place].key == Self.empty { count += 1 }
            slots[place] = Slot(key: key, merge: Merge(rank: UInt32(rank), result: merge.result))
        }
    }

    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    /// nil where the two do not merge. A token of -1 merges with none.
    @inline(__always)
    func merge(_ left: Int32, _ right: Int32) -> Merge? {
        let key = Self.key(left, right)
        return slots.withUnsafeBufferPointer { slots in
            var place = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) &>> shift)
            while true {
                let slot = slots[place]
                if slot.key == key, key != Self.empty { return slot.merge }
                if slot.key == Self.empty { return nil }
                place = (place + 1) & (slots.count - 1)
            }
        }
    }
}
