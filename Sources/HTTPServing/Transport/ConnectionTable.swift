/// A shard's connections by keys that are never reused.
struct ConnectionTable {
    /// A slot and how often it was assigned.
    struct Key: Sendable, Hashable {
        let slot: UInt32
        let generation: UInt32

        var token: UInt64 { UInt64(generation) << 32 | UInt64(slot) }

        init(slot: UInt32, generation: UInt32) {
            self.slot = slot
            self.generation = generation
        }

        init(token: UInt64) {
            slot = UInt32(truncatingIfNeeded: token)
            generation = UInt32(truncatingIfNeeded: token >> 32)
        }
    }

    private var slots: [Connection?] = []
    private var generations: [UInt32] = []
    private var vacant: [UInt32] = []
    private(set) var count = 0

    subscript(key: Key) -> Connection? {
        let slot = Int(key.slot)
        guard slot < slots.count, generations[slot] == key.generation else { return nil }
        return slots[slot]
    }

    mutating func insert(_ make: (Key) -> Connection) -> Connection {
        let slot: UInt32
        if let last = vacant.popLast() {
            slot = last
        } else {
            slot = UInt32(slots.count)
            slots.append(nil)
            generations.append(0)
        }
        let connection = make(Key(slot: slot, generation: generations[Int(slot)]))
        slots[Int(slot)] = connection
        count += 1
        return connection
    }

    mutating func remove(_ key: Key) {
        guard self[key] != nil else { return }
        slots[Int(key.slot)] = nil
        generations[Int(key.slot)] &+= 1
        vacant.append(key.slot)
        count -= 1
    }

    /// All connections; the caller may remove any of them meanwhile.
    var all: [Connection] { slots.compactMap(\.self) }
}
