import LinearAlgebra
import Testing

struct AccumulateTests {
    /// A source in one storage with the numbers that it stands for.
    private struct Source {
        let bytes: [UInt8]
        let storage: StoredReal
        let values: [Double]

        init(count: Int, storage: StoredReal, generator: inout SeededGenerator) {
            var bytes: [UInt8] = []
            var values: [Double] = []
            for _ in 0..<count {
                let drawn = generator.normal() * (generator.next() % 8 == 0 ? 1e-6 : 1)
                switch storage {
                case .float64:
                    values.append(drawn)
                    bytes += withUnsafeBytes(of: drawn) { Array($0) }
                case .float32:
                    values.append(Double(Float(drawn)))
                    bytes += withUnsafeBytes(of: Float(drawn)) { Array($0) }
                case .float16:
                    values.append(Double(Float16(drawn)))
                    bytes += withUnsafeBytes(of: Float16(drawn).bitPattern) { Array($0) }
                case .bfloat16:
                    let bits = UInt16(truncatingIfNeeded: Float(drawn).bitPattern >> 16)
                    values.append(Double(Float(bitPattern: UInt32(bits) << 16)))
                    bytes += withUnsafeBytes(of: bits) { Array($0) }
                }
            }
            self.bytes = bytes
            self.storage = storage
            self.values = values
        }
    }

    private static let storages: [StoredReal] = [.float64, .float32, .float16, .bfloat16]

    /// Runs a kernel over terms whose bytes lie at an odd address.
    private func run(
        _ sources: [(Source, [Float])], count: Int,
        _ kernel: ([WeightedMatrix], UnsafeMutableBufferPointer<Float>) -> Void
    ) -> [Float] {
        let copies = sources.map { source, _ in
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: source.bytes.count + 1, alignment: 16)
            copy[1...].copyBytes(from: source.bytes)
            return copy
        }
        defer { for copy in copies { copy.deallocate() } }
        let terms = zip(sources, copies).map { source, copy in
            WeightedMatrix(
                bytes: UnsafeRawBufferPointer(rebasing: copy[1...]), storage: source.0.storage, coefficients: source.1)
        }
        var target = [Float](repeating: 0, count: count)
        target.withUnsafeMutableBufferPointer { kernel(terms, $0) }
        return target
    }

    @Test(arguments: storages, [1, 7, 8, 33, 20_000])
    func `rows of every storage add up as doubles do`(storage: StoredReal, columns: Int) {
        var generator = SeededGenerator(seed: 3, stream: "rows")
        let rows = [1, 5, 0, 3]
        let sources = rows.map { rows in
            (
                Source(count: rows * columns, storage: storage, generator: &generator),
                (0..<rows).map { _ in Float(generator.normal()) }
            )
        }
        let sums = run(sources, count: 6 * columns) { accumulateRows($0, columns: columns, into: $1) }
        var expected = [Double](repeating: 0, count: 6 * columns)
        var bound = expected
        for (source, factors) in sources {
            for index in source.values.indices {
                let term = source.values[index] * Double(factors[index / columns])
                expected[index] += term
                bound[index] += abs(term)
            }
        }
        for index in expected.indices {
            #expect(abs(Double(sums[index]) - expected[index]) <= bound[index] * 4 * Double(Float.ulpOfOne))
        }
    }

    @Test(arguments: storages, [1, 4, 8, 19, 64])
    func `columns of every storage add up as doubles do`(storage: StoredReal, columns: Int) {
        var generator = SeededGenerator(seed: 4, stream: "columns")
        let rows = 700
        let sources = [1, columns, max(1, columns / 2)].map { width in
            (
                Source(count: rows * width, storage: storage, generator: &generator),
                (0..<width).map { _ in Float(generator.normal()) }
            )
        }
        let sums = run(sources, count: rows * columns) { accumulateColumns($0, columns: columns, into: $1) }
        var expected = [Double](repeating: 0, count: rows * columns)
        var bound = expected
        for (source, factors) in sources {
            for index in source.values.indices {
                let (row, column) = index.quotientAndRemainder(dividingBy: factors.count)
                let term = source.values[index] * Double(factors[column])
                expected[row * columns + column] += term
                bound[row * columns + column] += abs(term)
            }
        }
        for index in expected.indices {
            #expect(abs(Double(sums[index]) - expected[index]) <= bound[index] * 3 * Double(Float.ulpOfOne))
        }
    }

    @Test func `every half is added at its exact value`() {
        let bits = (0...UInt16.max).filter { Float16(bitPattern: $0).isFinite }
        let bytes = bits.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
        var sums = [Float](repeating: 0, count: bits.count)
        bytes.withUnsafeBytes { bytes in
            sums.withUnsafeMutableBufferPointer { target in
                accumulateRows(
                    [WeightedMatrix(bytes: bytes, storage: .float16, coefficients: [1])], columns: bits.count,
                    into: target)
            }
        }
        #expect(sums == bits.map { Float(Float16(bitPattern: $0)) })
    }
}
