import Testing

@testable import AdapterFormat

struct ScalarTypeTests {
    private func decoded(_ bytes: [UInt8], as type: ScalarType) -> [Float] {
        [Float](unsafeUninitializedCapacity: bytes.count / type.byteCount) { target, count in
            bytes.withUnsafeBytes {
                type.decode($0, into: UnsafeMutableBufferPointer(rebasing: target[..<(bytes.count / type.byteCount)]))
            }
            count = bytes.count / type.byteCount
        }
    }

    private func encoded(_ values: [Float], as type: ScalarType) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: values.count * type.byteCount)
        values.withUnsafeBufferPointer { values in bytes.withUnsafeMutableBytes { type.encode(values, into: $0) } }
        return bytes
    }

    private static let allSixteenBits = (0...UInt16.max).flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }

    @Test func `every half decodes to its exact value and back`() {
        let values = decoded(Self.allSixteenBits, as: .f16)
        for (bits, value) in values.enumerated() {
            let half = Float16(bitPattern: UInt16(bits))
            #expect(half.isNaN ? value.isNaN : Double(value) == Double(half), "\(bits)")
        }
        let sound = values.enumerated().filter { !$1.isNaN }
        let back = encoded(sound.map(\.element), as: .f16)
        #expect(back == sound.flatMap { [UInt8($0.offset & 255), UInt8($0.offset >> 8)] })
    }

    @Test func `every bfloat16 decodes to its exact value and back`() {
        let values = decoded(Self.allSixteenBits, as: .bf16)
        for (bits, value) in values.enumerated() { #expect(value.bitPattern == UInt32(bits) << 16) }
        let sound = values.enumerated().filter { !$1.isNaN }
        let back = encoded(sound.map(\.element), as: .bf16)
        #expect(back == sound.flatMap { [UInt8($0.offset & 255), UInt8($0.offset >> 8)] })
    }

    @Test func `rounding goes to the nearest, ties to even, and keeps what is not a number`() {
        let ulp = Float(1).nextUp - 1
        let bf16 = encoded([1 + 0x1p-8, 1 + 3 * 0x1p-8, 1 + 0x1p-8 + ulp, .greatestFiniteMagnitude], as: .bf16)
        #expect(decoded(bf16, as: .bf16) == [1, 1 + 0x1p-6, 1 + 0x1p-7, .infinity])
        let f16 = encoded([1 + 0x1p-11, 1 + 3 * 0x1p-11, 1 + 0x1p-11 + ulp, 65520], as: .f16)
        #expect(decoded(f16, as: .f16) == [1, 1 + 0x1p-9, 1 + 0x1p-10, .infinity])
        let quiet = Float(bitPattern: 0x7F80_0001)
        #expect(decoded(encoded([.nan, quiet], as: .bf16), as: .bf16).allSatisfy { $0.isNaN })
    }

    @Test func `doubles are rounded to the nearest Float`() {
        let values = [1 / 3.0, 1e-50, -0.1, 1e300]
        let bytes = values.flatMap { withUnsafeBytes(of: $0) { Array($0) } }
        #expect(decoded(bytes, as: .f64) == values.map { Float($0) })
    }

    @Test func `what is not finite is counted in every type`() {
        func count<Value>(_ values: [Value], _ type: ScalarType) -> Int {
            values.withUnsafeBytes { type.count(in: $0) }
        }
        #expect(count(Self.allSixteenBits, .f16) == 2 * 1024)
        #expect(count(Self.allSixteenBits, .bf16) == 2 * 128)
        #expect(count([1, .nan, .infinity, -.infinity, .greatestFiniteMagnitude, 0] as [Float], .f32) == 3)
        #expect(count([1, .nan, -.infinity, 1e39, 3e38] as [Double], .f64) == 3)
    }
}
