/// 128 bits that tell contents apart. It is no defence against somebody who makes two contents alike on purpose.
struct Fingerprint: Sendable, Equatable {
    private(set) var first: UInt64 = 0xcbf2_9ce4_8422_2325
    private(set) var second: UInt64 = 0x9e37_79b9_7f4a_7c15

    mutating func add(_ number: UInt64) {
        first = (first ^ number) &* 0x100_0000_01b3
        first ^= first >> 32
        second = (second &+ number) &* 0xff51_afd7_ed55_8ccd
        second ^= second >> 29
    }

    mutating func add(_ numbers: some Sequence<UInt64>) {
        for number in numbers { add(number) }
    }

    mutating func add(_ floats: some Collection<Float>) {
        add(UInt64(floats.count))
        for float in floats { add(UInt64(float.bitPattern)) }
    }

    mutating func add(_ text: String) {
        add(UInt64(text.utf8.count))
        for byte in text.utf8 { add(UInt64(byte)) }
    }
}
