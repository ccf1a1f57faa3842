import AdapterFormat
import CVectors
import Testing

@testable import ModelFiles

/// The widened numbers of each type are those of the gguf package, bit for bit, on every processor.
struct BlockTests {
    private static let widths = [rows_oldest, rows_avx2, rows_avx512].filter { $0.rawValue <= rows_widest().rawValue }

    @Test func `blocks of every type have the numbers of the gguf package`() throws {
        let path = Fixtures.path("blocks.gguf")
        let storage = try TensorStorage(mapping: path)
        let file = try GGUFFile(storage, path: path)
        let expected = try SafetensorsFile(path: Fixtures.path("blocks.safetensors"))
        #expect(Set(file.tensors.map(\.type)) == Set(StoredType.allCases).subtracting([.q8_K]))
        for tensor in file.tensors {
            let numbers = try #require(expected[tensor.name]).floats().map(\.bitPattern)
            #expect(
                file.tensor(tensor, name: tensor.name, order: .plain).floats().map(\.bitPattern) == numbers,
                "\(tensor.name)")
            for width in Self.widths {
                let found = storage.withBytes { bytes in
                    [Float](unsafeUninitializedCapacity: numbers.count) { buffer, count in
                        count = numbers.count
                        guard let source = bytes.baseAddress else { return }
                        blocks_read(
                            width, tensor.type.blocks, source + tensor.range.lowerBound, buffer.baseAddress,
                            numbers.count / tensor.type.blockLength)
                    }
                }
                #expect(found.map(\.bitPattern) == numbers, "\(tensor.name) at width \(width.rawValue)")
            }
        }
    }

    @Test func `a block of Q8_K is its codes times a float`() {
        var block = [UInt8](repeating: 0, count: 292)
        withUnsafeBytes(of: Float(0.25)) { block.replaceSubrange(0..<4, with: $0) }
        for index in 0..<256 { block[4 + index] = UInt8(truncatingIfNeeded: index) }
        for width in Self.widths {
            var found = [Float](repeating: 0, count: 256)
            blocks_read(width, StoredType.q8_K.blocks, block, &found, 1)
            #expect(found == (0..<256).map { 0.25 * Float(Int8(truncatingIfNeeded: $0)) })
        }
    }

    @Test func `halves that are infinite or not a number stay so`() {
        for (bits, expected) in [
            (UInt16(0x7C00), Float.infinity), (0xFC00, -.infinity), (0x0001, 0x1p-24), (0x83FF, -0x1.ff8p-15),
        ] {
            var found: Float = 0
            withUnsafeBytes(of: bits.littleEndian) {
                blocks_read(rows_widest(), StoredType.f16.blocks, $0.baseAddress, &found, 1)
            }
            #expect(found == expected)
        }
        var found: Float = 0
        withUnsafeBytes(of: UInt16(0x7E01)) {
            blocks_read(rows_widest(), StoredType.f16.blocks, $0.baseAddress, &found, 1)
        }
        #expect(found.isNaN)
    }
}
