import LinearAlgebra
import Testing

struct AccumulateTests {
    /// A matrix in one storage with the numbers that it stands for.
    private struct Source {
        var bytes: [UInt8] = []
        var scales: [Float] = []
        var minima: [Float] = []
        let storage: StoredReal
        var values: [Double] = []
        /// Of what a number is made of, which is more than the number where minimum and steps cancel.
        var magnitudes: [Double] = []

        init(rows: Int, columns: Int, storage: StoredReal, generator: inout SeededGenerator) {
            self.storage = storage
            for _ in 0..<rows {
                if storage.isQuantised {
                    // A channel whose scale is zero is constant.
                    scales.append(generator.next() % 8 == 0 ? 0 : Float(abs(generator.normal())) * 0.01)
                    minima.append(Float(generator.normal()))
                }
                for column in 0..<columns { append(column: column, generator: &generator) }
                magnitudes += values.suffix(columns).map { abs($0) + 2 * abs(Double(minima.last ?? 0)) }
            }
        }

        private mutating func append(column: Int, generator: inout SeededGenerator) {
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
            case .quantised8:
                let steps = UInt8(truncatingIfNeeded: generator.next())
                values.append(value(steps))
                bytes.append(steps)
            case .quantised4:
                let steps = UInt8(truncatingIfNeeded: generator.next()) & 0x0F
                values.append(value(steps))
                if column.isMultiple(of: 2) { bytes.append(steps) } else { bytes[bytes.count - 1] |= steps << 4 }
            }
        }

        /// A number as a float, decoded in float steps.
        func float(_ index: Int, columns: Int) -> Float {
            guard storage.isQuantised else { return Float(values[index]) }
            let row = index / columns
            let byte = storage == .quantised8 ? index : row * ((columns + 1) / 2) + index % columns / 2
            let steps = storage == .quantised8 ? bytes[byte] : (bytes[byte] >> (index % columns % 2 * 4)) & 0x0F
            return Float(steps) * scales[row] + minima[row]
        }

        /// Of the last row's channel.
        private func value(_ steps: UInt8) -> Double {
            Double(minima[minima.count - 1]) + Double(scales[scales.count - 1]) * Double(steps)
        }
    }

    private static let storages: [StoredReal] = [
        .float64, .float32, .float16, .bfloat16, .quantised8, .quantised4,
    ]

    /// Bytes at an odd address.
    private final class OddBytes {
        private let room: UnsafeMutableRawBufferPointer
        var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: room[1...]) }

        init(_ bytes: some Sequence<UInt8>) {
            let bytes = Array(bytes)
            room = .allocate(byteCount: bytes.count + 1, alignment: 16)
            room[1...].copyBytes(from: bytes)
        }

        convenience init(_ floats: [Float]) {
            self.init(floats.flatMap { float in withUnsafeBytes(of: float) { Array($0) } })
        }

        deinit { room.deallocate() }
    }

    /// Runs a kernel over terms whose bytes lie at odd addresses, lent or fetched.
    private func run(
        _ sources: [(Source, [Float])], count: Int, fetching: Bool,
        _ kernel: ([WeightedMatrix], UnsafeMutableBufferPointer<Float>) -> Void
    ) -> [Float] {
        let copies = sources.map { source, _ in
            (bytes: OddBytes(source.bytes), scales: OddBytes(source.scales), minima: OddBytes(source.minima))
        }
        defer { withExtendedLifetime(copies) {} }
        let terms = zip(sources, copies).map { source, copy in
            let bytes = copy.bytes.bytes
            let fetch: WeightedMatrix.Fetch = { offset, target in
                target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + target.count]))
            }
            return WeightedMatrix(
                bytes: bytes, fetch: fetching ? fetch : nil, storage: source.0.storage,
                channels: source.0.storage.isQuantised
                    ? .init(scales: copy.scales.bytes, minima: copy.minima.bytes) : nil,
                coefficients: source.1)
        }
        var target = [Float](repeating: 0, count: count)
        target.withUnsafeMutableBufferPointer { kernel(terms, $0) }
        return target
    }

    @Test(arguments: storages, [1, 7, 8, 33, 20_001])
    func `rows of every storage add up as doubles do`(storage: StoredReal, columns: Int) {
        var generator = SeededGenerator(seed: 3, stream: "rows")
        // More terms than go by together, and as few as one.
        let rows = columns > 1000 ? [1, 5, 0, 3, 5, 5] : [1, 5, 0, 3, 5, 5, 5, 2, 4, 5, 1]
        let sources = rows.map { rows in
            (
                Source(rows: rows, columns: columns, storage: storage, generator: &generator),
                (0..<rows).map { _ in Float(generator.normal()) }
            )
        }
        let sums = run(sources, count: 6 * columns, fetching: false) { accumulateRows($0, columns: columns, into: $1) }
        #expect(
            sums == run(sources, count: 6 * columns, fetching: true) { accumulateRows($0, columns: columns, into: $1) })
        var expected = [Double](repeating: 0, count: 6 * columns)
        var bound = expected
        for (source, factors) in sources {
            for index in source.values.indices {
                let term = source.values[index] * Double(factors[index / columns])
                expected[index] += term
                bound[index] += source.magnitudes[index] * abs(Double(factors[index / columns]))
            }
        }
        for index in expected.indices {
            #expect(abs(Double(sums[index]) - expected[index]) <= bound[index] * 14 * Double(Float.ulpOfOne))
        }
    }

    @Test(arguments: storages, [1, 4, 8, 19, 64])
    func `columns of every storage add up as doubles do`(storage: StoredReal, columns: Int) {
        var generator = SeededGenerator(seed: 4, stream: "columns")
        let rows = 300
        let widths = [1, columns, max(1, columns / 2), 0] + (0..<7).map { 1 + (3 * $0) % columns }
        let sources = widths.map { width in
            (
                Source(rows: rows, columns: width, storage: storage, generator: &generator),
                (0..<width).map { _ in Float(generator.normal()) }
            )
        }
        let sums = run(sources, count: rows * columns, fetching: false) {
            accumulateColumns($0, columns: columns, into: $1)
        }
        #expect(
            sums
                == run(sources, count: rows * columns, fetching: true) {
                    accumulateColumns($0, columns: columns, into: $1)
                })
        var expected = [Double](repeating: 0, count: rows * columns)
        var bound = expected
        for (source, factors) in sources {
            for index in source.values.indices {
                let (row, column) = index.quotientAndRemainder(dividingBy: factors.count)
                let term = source.values[index] * Double(factors[column])
                expected[row * columns + column] += term
                bound[row * columns + column] += source.magnitudes[index] * abs(Double(factors[column]))
            }
        }
        for index in expected.indices {
            #expect(abs(Double(sums[index]) - expected[index]) <= bound[index] * 14 * Double(Float.ulpOfOne))
        }
    }

    @Test(arguments: [true, false])
    func `terms of different storages add up in their order`(byRows: Bool) {
        var generator = SeededGenerator(seed: 5, stream: "mixed")
        let side = 12
        let sources = (0..<23).map { index in
            (
                Source(rows: side, columns: side, storage: Self.storages[index / 2 % 6], generator: &generator),
                (0..<side).map { _ in Float(generator.normal()) }
            )
        }
        let sums = run(sources, count: side * side, fetching: true) { terms, target in
            if byRows {
                accumulateRows(terms, columns: side, into: target)
            } else {
                accumulateColumns(terms, columns: side, into: target)
            }
        }
        for index in sums.indices {
            let factor = byRows ? index / side : index % side
            var sum: Float = 0
            for (source, factors) in sources {
                sum += source.float(index, columns: side) * factors[factor]
            }
            #expect(sums[index] == sum)
        }
    }

    @Test(arguments: [StoredReal.float32, .float16, .bfloat16], [1, 3, 8, 13, 40, 67])
    func `vectors of every width give the same bytes`(storage: StoredReal, columns: Int) {
        var generator = SeededGenerator(seed: 6, stream: "widths")
        let rows = 21
        // Every width up to the whole, and heights from none to all.
        let byColumn = (1...max(2, columns)).map { width in
            let width = min(width, columns)
            return (
                Source(rows: rows, columns: width, storage: storage, generator: &generator),
                (0..<width).map { _ in Float(generator.normal()) }
            )
        }
        let byRow = [rows, 3, 0, 1, rows - 1, rows, rows, 7, 20, rows].map { height in
            (
                Source(rows: height, columns: columns, storage: storage, generator: &generator),
                (0..<height).map { _ in Float(generator.normal()) }
            )
        }
        let sums = VectorWidth.available.map { width in
            run(byColumn, count: rows * columns, fetching: false) {
                accumulateColumns($0, columns: columns, into: $1, vectors: width)
            }
                + run(byRow, count: rows * columns, fetching: true) {
                    accumulateRows($0, columns: columns, into: $1, vectors: width)
                }
        }
        #expect(sums.allSatisfy { $0 == sums.first })
        #expect(sums.first?.contains { $0 != 0 } == true)
    }

    @Test(arguments: VectorWidth.available)
    func `every half is added at its exact value`(vectors: VectorWidth) {
        let bits = (0...UInt16.max).filter { Float16(bitPattern: $0).isFinite }
        let bytes = bits.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
        var sums = [Float](repeating: 0, count: bits.count)
        bytes.withUnsafeBytes { bytes in
            sums.withUnsafeMutableBufferPointer { target in
                accumulateRows(
                    [WeightedMatrix(bytes: bytes, storage: .float16, coefficients: [1])], columns: bits.count,
                    into: target, vectors: vectors)
            }
        }
        #expect(sums == bits.map { Float(Float16(bitPattern: $0)) })
    }
}
