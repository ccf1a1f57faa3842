import LinearAlgebra
import Testing

/// Exact sums against plain integers of 128 bits.
struct ExactSumTests {
    private static let storages: [StoredReal] = [.float32, .float16, .bfloat16, .float64, .quantised8, .quantised4]

    /// A matrix in one storage and the floats that it stands for.
    private struct Source {
        let storage: StoredReal
        let rows: Int
        let columns: Int
        let factor: Double
        var bytes: [UInt8] = []
        var scales: [Float] = []
        var minima: [Float] = []
        var values: [Float] = []

        init(_ storage: StoredReal, rows: Int, columns: Int, factor: Double, _ generator: inout SeededGenerator) {
            self.storage = storage
            self.rows = rows
            self.columns = columns
            self.factor = factor
            for _ in 0..<rows {
                scales.append(generator.uniform(within: 0.01))
                minima.append(generator.uniform(within: 1))
                for column in 0..<columns {
                    // Now and then a number far beyond the others.
                    let drawn = Float(generator.normal()) * (generator.next() % 16 == 0 ? 10_000 : 1)
                    append(drawn, column, &generator)
                }
            }
        }

        private mutating func append(_ drawn: Float, _ column: Int, _ generator: inout SeededGenerator) {
            switch storage {
            case .float64: put(Double(drawn) + 1e-12, drawn)
            case .float32: put(drawn, drawn)
            case .float16: put(Float16(drawn), Float(Float16(drawn)))
            case .bfloat16:
                let bits = UInt16(truncatingIfNeeded: drawn.bitPattern >> 16)
                put(bits, Float(bitPattern: UInt32(bits) << 16))
            case .quantised8: put(UInt8(truncatingIfNeeded: generator.next()), nil)
            case .quantised4:
                let step = UInt8(truncatingIfNeeded: generator.next()) & 0x0F
                if column.isMultiple(of: 2) {
                    put(step, nil)
                } else {
                    bytes[bytes.count - 1] |= step << 4
                    decode(step)
                }
            }
        }

        private mutating func put<Number>(_ number: Number, _ value: Float?) {
            bytes += withUnsafeBytes(of: number) { Array($0) }
            if let value { values.append(value) } else if let step = number as? UInt8 { decode(step) }
        }

        private mutating func decode(_ step: UInt8) {
            values.append(Float(step) * scales[scales.count - 1] + minima[minima.count - 1])
        }
    }

    /// What a term is in units of 2⁻⁶⁴, from the bits of the float64 product.
    private func units(_ value: Float, _ factor: Double) -> Int128 {
        let product = Double(value) * factor
        guard product != 0 else { return 0 }
        let significand = Int128(product.significandBitPattern | 1 << 52)
        let shift = Int(product.exponent) - 52 + 64
        var magnitude = significand
        if shift >= 0 {
            magnitude <<= Int128(shift)
        } else if shift < -120 {
            magnitude = 0
        } else {
            let rest = significand & (1 << Int128(-shift) - 1)
            let half = Int128(1) << Int128(-shift - 1)
            magnitude >>= Int128(-shift)
            if rest > half || (rest == half && magnitude & 1 == 1) { magnitude += 1 }
        }
        return product < 0 ? -magnitude : magnitude
    }

    /// Lends the sources as terms to a body.
    private func withTerms(_ sources: [Source], fetching: Bool, _ body: ([ExactTerm]) -> Void) {
        // At odd addresses, as files may have them.
        let copies = sources.map { source in
            [source.bytes, source.scales.flatMap(Self.bytes), source.minima.flatMap(Self.bytes)].map { bytes in
                let room = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count + 1, alignment: 16)
                room[1...].copyBytes(from: bytes)
                return room
            }
        }
        defer { for room in copies.joined() { room.deallocate() } }
        body(
            zip(sources, copies).map { source, copies in
                let lent = copies.map { UnsafeRawBufferPointer(rebasing: $0[1...]) }
                let fetch: WeightedMatrix.Fetch = { offset, target in
                    target.copyMemory(from: UnsafeRawBufferPointer(rebasing: lent[0][offset..<offset + target.count]))
                }
                return ExactTerm(
                    bytes: lent[0], fetch: fetching ? fetch : nil, storage: source.storage,
                    channels: source.storage.isQuantised ? .init(scales: lent[1], minima: lent[2]) : nil,
                    rows: source.rows, columns: source.columns, factor: source.factor)
            })
    }

    private static func bytes(of number: Float) -> [UInt8] { withUnsafeBytes(of: number) { Array($0) } }

    @Test(arguments: [true, false], [(rows: 7, columns: 61), (rows: 130, columns: 20), (rows: 2, columns: 9000)])
    func `sums are those of integers, whatever the order, storage and vectors`(
        fetching: Bool, shape: (rows: Int, columns: Int)
    ) {
        var generator = SeededGenerator(seed: 4, stream: "exact sums", "\(shape)")
        var sources: [Source] = []
        for (index, storage) in (Self.storages + Self.storages).enumerated() {
            // Terms that are smaller than the sum in rows or columns, with factors that few bits cannot hold.
            sources.append(
                Source(
                    storage, rows: max(1, shape.rows - index % 5), columns: max(1, shape.columns - index % 3 * 4),
                    factor: [600, 1.0 / 3, 1e-9, 41_000.7][index % 4], &generator))
        }
        var expected = [Int128](repeating: 0, count: shape.rows * shape.columns)
        for source in sources {
            for row in 0..<source.rows {
                for column in 0..<source.columns {
                    expected[row * shape.columns + column] += units(
                        source.values[row * source.columns + column], source.factor)
                }
            }
        }
        for vectors in VectorWidth.available {
            withTerms(sources, fetching: fetching) { terms in
                var sums = FixedPointPlanes(zeros: expected.count)
                #expect(accumulateExactly(terms, columns: shape.columns, limit: 0x1p34, into: &sums, vectors: vectors))
                #expect((0..<sums.count).map { sums[$0].units } == expected)
                #expect(sums.lo.allSatisfy { $0 >= 0 && $0 < 1 << 40 })
                var parts = FixedPointPlanes(zeros: expected.count)
                for term in terms.reversed() {
                    #expect(
                        accumulateExactly([term], columns: shape.columns, limit: 0x1p34, into: &parts, vectors: vectors)
                    )
                }
                #expect(parts == sums)
            }
        }
    }

    @Test(arguments: [0x1p20, 0x1p28, 0x1p38, 3_000_000.5])
    func `a term that reaches the limit is refused, and one below it is not`(limit: Double) {
        let largest = Float(limit).nextDown
        for (value, isWithin) in [(largest, Double(largest) < limit), (Float(limit).nextUp, false), (.infinity, false)]
        {
            for place in [0, 3, 8, 12] {
                var values = [Float](repeating: -1, count: 13)
                values[place] = -value
                let bytes = values.flatMap(Self.bytes)
                for vectors in VectorWidth.available {
                    var sums = FixedPointPlanes(zeros: values.count)
                    bytes.withUnsafeBytes { bytes in
                        let term = ExactTerm(bytes: bytes, storage: .float32, rows: 1, columns: 13, factor: 1)
                        #expect(
                            accumulateExactly([term], columns: 13, limit: limit, into: &sums, vectors: vectors)
                                == isWithin)
                    }
                    guard isWithin else { continue }
                    #expect((0..<13).map { sums[$0].units } == values.map { units($0, 1) })
                }
            }
        }
    }

    @Test func `planes add with their carries, and what does not fit is named`() throws {
        func bytes(_ numbers: [Int64]) -> [UInt8] {
            numbers.flatMap { number in withUnsafeBytes(of: number) { Array($0) } }
        }
        var sums = FixedPointPlanes(zeros: 3)
        func add(_ hi: [Int64], _ lo: [Int64]) throws {
            let (hi, lo) = (bytes(hi), bytes(lo))
            try hi.withUnsafeBytes { hi in try lo.withUnsafeBytes { lo in try sums.add(hi: hi, lo: lo) } }
        }
        try add([1, -5, .max - 1], [1 << 40 - 1, 1 << 40 - 1, 1])
        try add([1, 3, 1], [1, 2, 7])
        #expect(sums.hi == [3, -1, .max] && sums.lo == [0, 1, 8])
        #expect(throws: FixedPointPlanes.PlaneError.low(index: 1, found: 1 << 40)) {
            try add([0, 0, 0], [0, 1 << 40, 0])
        }
        #expect(throws: FixedPointPlanes.PlaneError.low(index: 0, found: -1)) { try add([0, 0, 0], [-1, 0, 0]) }
        #expect(throws: FixedPointPlanes.PlaneError.overflow(index: 2)) { try add([0, 0, 1], [0, 0, 0]) }
        #expect(throws: FixedPointPlanes.PlaneError.overflow(index: 2)) { try add([0, 0, 0], [0, 0, 1 << 40 - 1]) }
        #expect(FixedPointPlanes(zeros: 6).transposed(rows: 2, columns: 3) == FixedPointPlanes(zeros: 6))
        let numbers = (0..<391).map { FixedPoint(hi: Int64($0) - 7, lo: Int64($0 * $0)) ?? .zero }
        let turned = FixedPointPlanes(numbers).transposed(rows: 17, columns: 23)
        #expect((0..<391).allSatisfy { turned[$0 % 23 * 17 + $0 / 23] == numbers[$0] })
    }

    /// The nearest float of a quotient, by doubling and halving until it has 24 bits.
    private func nearest(_ sum: Int128, _ weight: UInt128) -> Float {
        guard sum != 0 else { return 0 }
        var (top, bottom, exponent) = (sum.magnitude, weight, 0)
        while top / bottom >= 1 << 24 { (bottom, exponent) = (bottom << 1, exponent + 1) }
        while top / bottom < 1 << 23 { (top, exponent) = (top << 1, exponent - 1) }
        let (quotient, rest) = top.quotientAndRemainder(dividingBy: bottom)
        let isAbove = rest > bottom - rest || (rest == bottom - rest && quotient & 1 == 1)
        return Float(
            sign: sum < 0 ? .minus : .plus, exponent: exponent, significand: Float(UInt32(quotient) + (isAbove ? 1 : 0))
        )
    }

    @Test func `a mean is the nearest float, ties to even`() throws {
        var generator = SeededGenerator(seed: 9, stream: "exact division")
        for index in 0..<20_000 {
            func drawn(_ bits: UInt64) -> Int64 { Int64(truncatingIfNeeded: generator.next() >> (64 - bits)) }
            // Sums and weights of all sizes; every third sum has few bits, so that quotients are often exact.
            let hi = drawn(1 + generator.next() % 60) * (index % 2 == 0 ? 1 : -1)
            let sum = try #require(FixedPoint(hi: hi, lo: index % 3 == 0 ? 0 : drawn(40)))
            let weight = try #require(
                FixedPoint(
                    hi: index % 7 == 0 ? 0 : drawn(1 + generator.next() % 22), lo: index % 2 == 0 ? 0 : drawn(40)))
            guard let divisor = ExactDivisor(weight) else {
                #expect(weight == .zero)
                continue
            }
            let found = divisor.quotient(hi: sum.hi, lo: sum.lo)
            #expect(found == nearest(sum.units, UInt128(weight.units)), "\(sum) / \(weight)")
        }
        // Odd multiples of half a last place, and their neighbours.
        for index in 0..<5000 {
            let odd = Int64(generator.next() % (1 << 24)) | 1 << 24 | 1
            let weight = Int64(generator.next() % 4096) + 1
            let divisor = try #require(ExactDivisor(FixedPoint(hi: weight << 24, lo: 0) ?? .zero))
            let sum = try #require(FixedPoint(hi: odd * weight * (index % 2 == 0 ? 1 : -1), lo: 0))
            #expect(divisor.quotient(hi: sum.hi, lo: 0) == Float(Double(sum.hi) / Double(weight) * 0x1p-24))
            for neighbour in [sum.units - 1, sum.units + 1] {
                let found = divisor.quotient(hi: Int64(neighbour >> 40), lo: Int64(neighbour & (1 << 40 - 1)))
                #expect(found == nearest(neighbour, UInt128(weight) << 64))
            }
        }
        #expect(ExactDivisor(.zero) == nil)
        #expect(FixedPoint(hi: -1, lo: 0).flatMap(ExactDivisor.init) == nil)
        let one = try #require(ExactDivisor(FixedPoint(hi: 1 << 24, lo: 0) ?? .zero))
        #expect(one.quotient(hi: .min, lo: 0) == -0x1p39 && one.quotient(hi: .max, lo: 1 << 40 - 1) == 0x1p39)
        #expect(one.quotient(hi: 0, lo: 1) == 0x1p-64 && one.quotient(hi: -1, lo: 1 << 40 - 1) == -0x1p-64)
    }
}
