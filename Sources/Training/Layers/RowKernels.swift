import LinearAlgebra

/// What an encoder does row by row between its matrix products.
enum RowKernels {
    private typealias Vector = VectorMath.Vector

    /// Turns every row into its softmax.
    static func softmax(_ scores: MutableMatrixView) {
        let (width, count) = (VectorMath.width, scores.columns)
        let whole = count - count % width
        for row in 0..<scores.rows {
            let values = scores.base + row * scores.stride
            var highest = Vector(repeating: -.greatestFiniteMagnitude)
            for column in stride(from: 0, to: whole, by: width) {
                highest = pointwiseMax(highest, VectorMath.load(values + column))
            }
            if whole < count {
                highest = pointwiseMax(
                    highest,
                    VectorMath.load(values + whole, count: count - whole, filler: -.greatestFiniteMagnitude))
            }
            let top = highest.max()
            var sum = Vector(repeating: 0)
            for column in stride(from: 0, to: whole, by: width) {
                let power = VectorMath.exp(VectorMath.load(values + column) - top)
                VectorMath.store(power, to: values + column)
                sum += power
            }
            var total = sum.sum()
            if whole < count {
                let rest = VectorMath.exp(VectorMath.load(values + whole, count: count - whole, filler: top) - top)
                VectorMath.store(rest, to: values + whole, count: count - whole)
                for column in whole..<count { total += values[column] }
            }
            let share = 1 / total
            for column in 0..<count { values[column] *= share }
        }
    }

    /// The gradient of a softmax's input from that of its output: g ← p·(g − Σ g·p), row by row.
    static func softmaxGradient(_ gradient: MutableMatrixView, of output: MatrixView) {
        for row in 0..<gradient.rows {
            let values = gradient.base + row * gradient.stride
            let shares = output.base + row * output.stride
            let total = dot(UnsafePointer(values), shares, gradient.columns)
            for column in 0..<gradient.columns { values[column] = shares[column] * (values[column] - total) }
        }
    }

    /// values ← gelu(values + bias), leaving the derivative in `slope`.
    static func gelu(_ values: MutableMatrixView, bias: UnsafeBufferPointer<Float>, slope: MutableMatrixView) {
        precondition(bias.count == values.columns && slope.columns == values.columns, "a bias of another width")
        guard let bias = bias.baseAddress else { return }
        let (width, count) = (VectorMath.width, values.columns)
        let whole = count - count % width
        for row in 0..<values.rows {
            let (target, slopes) = (values.base + row * values.stride, slope.base + row * slope.stride)
            for column in stride(from: 0, to: whole, by: width) {
                let result = VectorMath.gelu(VectorMath.load(target + column) + VectorMath.load(bias + column))
                VectorMath.store(result.value, to: target + column)
                VectorMath.store(result.slope, to: slopes + column)
            }
            if whole < count {
                let rest = count - whole
                let result = VectorMath.gelu(
                    VectorMath.load(target + whole, count: rest, filler: 0)
                        + VectorMath.load(bias + whole, count: rest, filler: 0))
                VectorMath.store(result.value, to: target + whole, count: rest)
                VectorMath.store(result.slope, to: slopes + whole, count: rest)
            }
        }
    }

    /// values ← values·factors, element by element.
    static func multiply(_ values: MutableMatrixView, by factors: MatrixView) {
        for row in 0..<values.rows {
            let (target, source) = (values.base + row * values.stride, factors.base + row * factors.stride)
            for column in 0..<values.columns { target[column] *= source[column] }
        }
    }

    /// target ← target + source.
    ///
    /// - Precondition: neither overlaps the other.
    static func add(_ source: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>, count: Int) {
        let whole = count - count % VectorMath.width
        for index in stride(from: 0, to: whole, by: VectorMath.width) {
            VectorMath.store(VectorMath.load(target + index) + VectorMath.load(source + index), to: target + index)
        }
        for index in whole..<count { target[index] += source[index] }
    }

    /// Writes `row` into every row.
    static func fill(_ target: MutableMatrixView, with row: UnsafeBufferPointer<Float>) {
        precondition(row.count == target.columns, "a row of \(row.count) for \(target.columns) columns")
        guard let source = row.baseAddress else { return }
        for index in 0..<target.rows {
            (target.base + index * target.stride).update(from: source, count: target.columns)
        }
    }

    @inline(__always)
    static func dot(_ one: UnsafePointer<Float>, _ other: UnsafePointer<Float>, _ count: Int) -> Float {
        var sum = Vector(repeating: 0)
        let whole = count - count % VectorMath.width
        for index in stride(from: 0, to: whole, by: VectorMath.width) {
            sum += VectorMath.load(one + index) * VectorMath.load(other + index)
        }
        var total = sum.sum()
        for index in whole..<count { total += one[index] * other[index] }
        return total
    }

    @inline(__always)
    static func sum(_ values: UnsafePointer<Float>, _ count: Int) -> Float {
        var sum = Vector(repeating: 0)
        let whole = count - count % VectorMath.width
        for index in stride(from: 0, to: whole, by: VectorMath.width) { sum += VectorMath.load(values + index) }
        var total = sum.sum()
        for index in whole..<count { total += values[index] }
        return total
    }
}
