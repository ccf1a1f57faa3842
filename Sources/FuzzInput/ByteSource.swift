/// A fuzzer's bytes, read as choices: every input means something, and a small change of it changes one choice.
package struct ByteSource {
    private var rest: UnsafeRawBufferPointer

    package init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

    package var isEmpty: Bool { rest.isEmpty }

    /// The next byte; 0 at the end.
    package mutating func byte() -> UInt8 {
        guard let first = rest.first else { return 0 }
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst())
        return first
    }

    package mutating func flag() -> Bool { byte() & 1 == 1 }

    /// One of the values, the first at the input's end.
    package mutating func pick<Value>(_ values: [Value]) -> Value { values[Int(byte()) % values.count] }

    /// A small number, or one at which arithmetic goes wrong.
    package mutating func integer() -> Int {
        let choice = byte()
        guard choice >= 160 else { return Int(choice) % 20 }
        return Self.integers[Int(choice) % Self.integers.count]
    }

    package mutating func number() -> Double {
        let choice = byte()
        guard choice >= 128 else { return Double(choice) / 8 }
        return Self.numbers[Int(choice) % Self.numbers.count]
    }

    private static let integers: [Int] = [
        .min, .min + 1, -1, 0, 1, 255, 256, 65_535, 65_536, 65_537, 1_000_000, 1_000_001, 250_000_000, 1 << 30, 1 << 31,
        1 << 32, 1_000_000_000, 1 << 53, 1 << 62, .max - 1, .max,
    ]
    private static let numbers: [Double] = [
        -1, 0, -0.0, 1, 1e-9, 1e9, 1e12, 1e15, 1e-300, 1e300, .infinity, -.infinity, .nan, .greatestFiniteMagnitude,
        .leastNonzeroMagnitude, 0x1p63, -0x1p63, 0x1p53, 31_536_000, 1_000_000,
    ]
}
