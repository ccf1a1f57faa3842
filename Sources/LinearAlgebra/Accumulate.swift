/// One matrix of a weighted sum, decoded while it is added.
package struct WeightedMatrix {
    /// Row-major.
    package let bytes: UnsafeRawBufferPointer
    package let storage: StoredReal
    /// One factor per row under `accumulateRows`, per column under `accumulateColumns`; their number is the matrix's.
    package let coefficients: [Float]

    package init(bytes: UnsafeRawBufferPointer, storage: StoredReal, coefficients: [Float]) {
        self.bytes = bytes
        self.storage = storage
        self.coefficients = coefficients
    }
}

/// How many sums are in the making at once: 64 KiB of them, which stay in the second cache while the terms go by.
private let sumsInHand = 16_384

/// Adds Σ_k diag(c_k)·X_k to the first rows of `target`.
///
/// Every element is added in the order of the terms, in float32, so the result does not depend on the blocking.
/// Time and memory traffic are one pass over the terms; allocates nothing.
///
/// - Parameters:
///   - terms: X_k (rows_k × columns) with its c_k (rows_k).
///   - target: (rows × columns), no term having more rows.
package func accumulateRows(
    _ terms: [WeightedMatrix], columns: Int, into target: UnsafeMutableBufferPointer<Float>
) {
    guard columns > 0, let base = target.baseAddress else { return }
    let rows = target.count / columns
    for term in terms {
        precondition(term.coefficients.count <= rows, "a term with more rows than its sum")
        precondition(
            term.bytes.count == term.coefficients.count * columns * term.storage.byteCount,
            "a term of another size than its shape")
    }
    let rowStep = max(1, sumsInHand / columns)
    for firstRow in stride(from: 0, to: rows, by: rowStep) {
        for firstColumn in stride(from: 0, to: columns, by: sumsInHand) {
            let count = min(sumsInHand, columns - firstColumn)
            for term in terms {
                let lastRow = min(firstRow + rowStep, term.coefficients.count)
                for row in firstRow..<max(firstRow, lastRow) {
                    let offset = row * columns + firstColumn
                    term.add(at: offset, count: count, times: term.coefficients[row], to: base + offset)
                }
            }
        }
    }
}

/// Adds Σ_k X_k·diag(c_k) to the first columns of `target`.
///
/// Order, precision and cost are those of `accumulateRows`.
///
/// - Parameters:
///   - terms: X_k (rows × columns_k) with its c_k (columns_k).
///   - target: (rows × columns), no term having more columns.
package func accumulateColumns(
    _ terms: [WeightedMatrix], columns: Int, into target: UnsafeMutableBufferPointer<Float>
) {
    guard columns > 0, let base = target.baseAddress else { return }
    let rows = target.count / columns
    for term in terms {
        precondition(term.coefficients.count <= columns, "a term with more columns than its sum")
        precondition(
            term.bytes.count == term.coefficients.count * rows * term.storage.byteCount,
            "a term of another size than its shape")
    }
    let rowStep = max(1, sumsInHand / columns)
    for firstRow in stride(from: 0, to: rows, by: rowStep) {
        let lastRow = min(firstRow + rowStep, rows)
        for term in terms {
            term.addColumns(rows: firstRow..<lastRow, to: base, stride: columns)
        }
    }
}

extension WeightedMatrix {
    fileprivate func add(at offset: Int, count: Int, times factor: Float, to target: UnsafeMutablePointer<Float>) {
        guard let source = bytes.baseAddress else { return }
        let start = source + offset * storage.byteCount
        switch storage {
        case .float64: Self.add(Float64Load.self, start, count, factor, target)
        case .float32: Self.add(Float32Load.self, start, count, factor, target)
        case .float16: Self.add(Float16Load.self, start, count, factor, target)
        case .bfloat16: Self.add(BFloat16Load.self, start, count, factor, target)
        }
    }

    fileprivate func addColumns(rows: Range<Int>, to target: UnsafeMutablePointer<Float>, stride: Int) {
        guard let source = bytes.baseAddress else { return }
        coefficients.withUnsafeBufferPointer { factors in
            guard let factors = factors.baseAddress else { return }
            let count = coefficients.count
            switch storage {
            case .float64: Self.addColumns(Float64Load.self, source, rows, count, factors, target, stride)
            case .float32: Self.addColumns(Float32Load.self, source, rows, count, factors, target, stride)
            case .float16: Self.addColumns(Float16Load.self, source, rows, count, factors, target, stride)
            case .bfloat16: Self.addColumns(BFloat16Load.self, source, rows, count, factors, target, stride)
            }
        }
    }

    @inline(__always)
    private static func add<Load: StoredRealLoad>(
        _: Load.Type, _ source: UnsafeRawPointer, _ count: Int, _ factor: Float,
        _ target: UnsafeMutablePointer<Float>
    ) {
        let sums = UnsafeMutableRawPointer(target)
        var index = 0
        while index + 8 <= count {
            let sum = sums.loadUnaligned(fromByteOffset: index * 4, as: SIMD8<Float>.self)
            let value = Load.load8(source + index * Load.byteCount)
            sums.storeBytes(of: sum + value * factor, toByteOffset: index * 4, as: SIMD8<Float>.self)
            index += 8
        }
        while index < count {
            target[index] += Load.load(source + index * Load.byteCount) * factor
            index += 1
        }
    }

    @inline(__always)
    private static func addColumns<Load: StoredRealLoad>(
        _: Load.Type, _ source: UnsafeRawPointer, _ rows: Range<Int>, _ count: Int,
        _ factors: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>, _ stride: Int
    ) {
        let weights = UnsafeRawPointer(factors)
        for row in rows {
            let values = source + row * count * Load.byteCount
            let sums = target + row * stride
            let raw = UnsafeMutableRawPointer(sums)
            var index = 0
            while index + 8 <= count {
                let sum = raw.loadUnaligned(fromByteOffset: index * 4, as: SIMD8<Float>.self)
                let value = Load.load8(values + index * Load.byteCount)
                let factor = weights.loadUnaligned(fromByteOffset: index * 4, as: SIMD8<Float>.self)
                raw.storeBytes(of: sum + value * factor, toByteOffset: index * 4, as: SIMD8<Float>.self)
                index += 8
            }
            while index < count {
                sums[index] += Load.load(values + index * Load.byteCount) * factors[index]
                index += 1
            }
        }
    }
}
