import LinearAlgebra

/// The products of a batch by matrices that stay in their file: some rows of a matrix are widened to scratch memory, and all
/// parts of the batch are then multiplied by them.
///
/// A batch has four parts of about the same number of rows, on any number of threads, so that the bytes are the same.
final class WidenedProducts {
    static let parts = 4
    /// The count of numbers of a matrix that are widened at a time: few enough for the second-level caches of two cores.
    private static let scratchLimit = 1 << 20

    let units: WorkUnits
    private let weight: FloatBlock
    /// For each part, its share of the gradients of one layer's A and B.
    private let gradients: [FloatBlock]
    /// (rows × rank): the gradient of x·Aᵀ.
    private var hiddenGradient = FloatBlock(count: 0)

    /// - Parameter projections: all that are multiplied by.
    init(_ projections: [DecoderProjection], units: WorkUnits) {
        self.units = units
        let largest = projections.map { min(Self.blockRows($0.rows), $0.rows.rows) * $0.rows.columns }.max() ?? 0
        weight = FloatBlock(count: largest)
        let factors = projections.map { $0.rank * ($0.layer.inputs + $0.layer.outputs) }.max() ?? 0
        widestPlain = projections.map(\.plainWidth).max() ?? 0
        gradients = (0..<Self.parts).map { [widestPlain] _ in FloatBlock(count: factors + widestPlain) }
        highestRank = projections.map(\.rank).max() ?? 0
    }

    private let highestRank: Int
    private let widestPlain: Int
    /// (rows × outputs): the gradient of DoRA's output before its scaling.
    private var plainGradient = FloatBlock(count: 0)

    /// The count of numbers that this takes for a batch of `rows` rows.
    static func count(_ layers: [AdaptedLayer], rows: Int) -> Int {
        let ranks = layers.map { $0.lora?.rank ?? 0 }
        let factors = zip(layers, ranks).map { $1 * ($0.inputs + $0.outputs) }.max() ?? 0
        let plains = layers.map { $0.magnitude == nil ? 0 : $0.outputs }.max() ?? 0
        return scratchLimit + parts * (factors + plains) + rows * ((ranks.max() ?? 0) + plains)
    }

    /// Makes room for a batch.
    func reserve(rows: Int) {
        if hiddenGradient.floats.count < rows * highestRank {
            hiddenGradient = FloatBlock(count: rows * highestRank)
        }
        if plainGradient.floats.count < rows * widestPlain { plainGradient = FloatBlock(count: rows * widestPlain) }
    }

    /// Calls the body for each part of a batch's rows.
    func forEachPart(of rows: Int, _ body: (_ rows: Range<Int>, _ part: Int) -> Void) {
        let ranges = WorkUnits.ranges(rows, parts: Self.parts)
        units.perform(ranges.count) { part, _ in body(ranges[part], part) }
    }

    /// output ← x·Wᵀ + bias + s·(x·Aᵀ)·Bᵀ, in the projection's columns.
    ///
    /// - Parameters:
    ///   - input: (rows × inputs), `output` (rows × all columns); nil where only what the gradients need is computed.
    ///   - isAdded: whether the result is added to the output.
    ///   - hidden: (rows × rank): becomes x·Aᵀ.
    ///   - plain: (rows × outputs): with DoRA, it becomes x·Wᵀ + s·(x·Aᵀ)·Bᵀ, which is then scaled.
    func forward(
        _ projection: DecoderProjection, _ input: MatrixView, into output: MutableMatrixView?, isAdded: Bool = false,
        hidden: FloatBlock, plain: FloatBlock
    ) {
        project(projection, input, hidden: hidden)
        if let lora = projection.layer.lora { projection.directions?.begin(lora) }
        let parts = WorkUnits.ranges(input.rows, parts: Self.parts)
        // The next token of a text is one row: then the output's columns are parted.
        let areColumnsParted = input.rows < Self.parts
        forEachBlock(of: projection) { rows, weight in
            if let lora = projection.layer.lora, let directions = projection.directions {
                let chunks = WorkUnits.ranges(rows.count, parts: 4 * Self.parts)
                units.perform(chunks.count) { index, _ in
                    let chunk = chunks[index]
                    directions.update(
                        rows.lowerBound + chunk.lowerBound..<rows.lowerBound + chunk.upperBound,
                        weight.block(chunk, 0..<weight.columns), lora)
                }
            }
            let columns = areColumnsParted ? WorkUnits.ranges(rows.count, parts: Self.parts) : [0..<rows.count]
            units.perform(parts.count * columns.count) { index, _ in
                let (part, columns) = (parts[index / columns.count], columns[index % columns.count])
                multiply(
                    projection, input, part, by: weight.block(columns, 0..<weight.columns),
                    rows: rows.lowerBound + columns.lowerBound..<rows.lowerBound + columns.upperBound, into: output,
                    isAdded: isAdded, hidden: hidden, plain: plain)
            }
        }
    }

    /// A part of the batch by some rows of the matrix.
    private func multiply(
        _ projection: DecoderProjection, _ input: MatrixView, _ part: Range<Int>, by weight: MatrixView,
        rows: Range<Int>, into output: MutableMatrixView?, isAdded: Bool, hidden: FloatBlock, plain: FloatBlock
    ) {
        let first = projection.columns.lowerBound
        let y = output?.block(part, first + rows.lowerBound..<first + rows.upperBound)
        let bias = projection.bias.map { UnsafeBufferPointer(rebasing: $0.floats[rows]) }
        if let lora = projection.layer.lora, let directions = projection.directions {
            let z = plain.matrix(rows: input.rows, columns: projection.layer.outputs).block(part, rows)
            MatrixProduct.accumulate(into: z, input.block(part, 0..<input.columns), .asGiven, weight, .transposed)
            add(lora, rows, hidden, part, to: z)
            guard let y else { return }
            directions.apply(z.readOnly, columns: rows, bias: bias, into: y, isAdded: isAdded)
            return
        }
        guard let y else { return }
        if let bias {
            if isAdded {
                guard let bias = bias.baseAddress else { return }
                for row in 0..<y.rows { RowArithmetic.add(bias, to: y.base + row * y.stride, count: y.columns) }
            } else {
                RowArithmetic.fill(y, with: bias)
            }
        }
        MatrixProduct.accumulate(
            into: y, keep: isAdded || projection.bias != nil ? 1 : 0, input.block(part, 0..<input.columns), .asGiven,
            weight, .transposed)
        if let lora = projection.layer.lora { add(lora, rows, hidden, part, to: y) }
    }

    /// output ← output + s·(x·Aᵀ)·Bᵀ for some rows of the matrix.
    private func add(
        _ lora: LoRALayer, _ rows: Range<Int>, _ hidden: FloatBlock, _ part: Range<Int>, to output: MutableMatrixView
    ) {
        MatrixProduct.accumulate(
            into: output, keep: 1, scale: lora.scale,
            hidden.matrix(at: part.lowerBound * lora.rank, rows: part.count, columns: lora.rank).readOnly, .asGiven,
            lora.b.matrix.block(0..<lora.rank, rows), .asGiven)
    }

    /// hidden ← x·Aᵀ. It is called alone where the gradients need it and nobody the output.
    func project(_ projection: DecoderProjection, _ input: MatrixView, hidden: FloatBlock) {
        guard let lora = projection.layer.lora else { return }
        forEachPart(of: input.rows) { part, _ in
            MatrixProduct.accumulate(
                into: hidden.matrix(at: part.lowerBound * lora.rank, rows: part.count, columns: lora.rank),
                input.block(part, 0..<input.columns), .asGiven, lora.a.matrix, .transposed)
        }
    }

    /// Computes the gradients of the projection's factors and, where it is needed, that of its input.
    ///
    /// - Parameters:
    ///   - input: (rows × inputs), as for `forward`; `gradient` that of the output (rows × all columns).
    ///   - target: becomes dY·W + s·(dY·B)·A, or that is added to it. It may be the input.
    ///   - hidden: what `forward` left there, and in `plain`.
    func backward(
        _ projection: DecoderProjection, _ input: MatrixView, gradient: MatrixView, into target: MutableMatrixView?,
        isAdded: Bool = false, hidden: FloatBlock, plain: FloatBlock
    ) {
        let outputs = projection.layer.outputs
        var slopes = gradient.block(0..<gradient.rows, projection.columns)
        if let directions = projection.directions {
            let scaled = plainGradient.matrix(rows: gradient.rows, columns: outputs)
            let plain = plain.matrix(rows: gradient.rows, columns: outputs).readOnly
            let offset = projection.rank * (projection.layer.inputs + outputs)
            forEachPart(of: gradient.rows) { [slopes] part, index in
                guard let sums = gradients[index].floats.baseAddress.map({ $0 + offset }) else { return }
                directions.propagate(
                    slopes.block(part, 0..<outputs), plain.block(part, 0..<outputs),
                    into: scaled.block(part, 0..<outputs), sums: sums)
            }
            slopes = scaled.readOnly
        }
        guard let target else {
            forEachPart(of: input.rows) { [slopes] part, index in
                collect(projection, input, slopes, hidden, part, index)
            }
            addParts(of: projection, rows: input.rows)
            return
        }
        forEachBlock(of: projection) { [slopes] rows, weight in
            forEachPart(of: input.rows) { part, index in
                if rows.lowerBound == 0 { collect(projection, input, slopes, hidden, part, index) }
                let x = target.block(part, 0..<target.columns)
                MatrixProduct.accumulate(
                    into: x, keep: isAdded || rows.lowerBound > 0 ? 1 : 0, slopes.block(part, rows), .asGiven, weight,
                    .asGiven)
                guard let lora = projection.layer.lora, rows.lowerBound == 0 else { return }
                MatrixProduct.accumulate(
                    into: x, keep: 1, hiddenGradient(part, lora.rank).readOnly, .asGiven, lora.a.matrix, .asGiven)
            }
        }
        addParts(of: projection, rows: input.rows)
    }

    /// One part's share of the factors' gradients, and the gradient of x·Aᵀ.
    ///
    /// - Parameter slopes: the gradient of x·Wᵀ + s·(x·Aᵀ)·Bᵀ (rows × outputs).
    private func collect(
        _ projection: DecoderProjection, _ input: MatrixView, _ slopes: MatrixView, _ hidden: FloatBlock,
        _ part: Range<Int>, _ index: Int
    ) {
        guard let lora = projection.layer.lora else { return }
        let y = slopes.block(part, 0..<projection.layer.outputs)
        let inner = hiddenGradient(part, lora.rank)
        MatrixProduct.accumulate(into: inner, scale: lora.scale, y, .asGiven, lora.b.matrix, .transposed)
        MatrixProduct.accumulate(
            into: gradients[index].matrix(rows: lora.rank, columns: input.columns), inner.readOnly, .transposed,
            input.block(part, 0..<input.columns), .asGiven)
        MatrixProduct.accumulate(
            into: gradients[index].matrix(at: lora.rank * input.columns, rows: lora.rank, columns: y.columns),
            scale: lora.scale,
            hidden.matrix(at: part.lowerBound * lora.rank, rows: part.count, columns: lora.rank).readOnly, .transposed,
            y,
            .asGiven)
    }

    /// The factors' gradients ← the sums of all parts, in the parts' order.
    private func addParts(of projection: DecoderProjection, rows: Int) {
        guard let lora = projection.layer.lora else { return }
        let parts = WorkUnits.ranges(rows, parts: Self.parts).count
        var offset = 0
        for factor in [lora.a, lora.b] + [projection.layer.magnitude].compactMap(\.self) {
            guard let target = factor.gradient.floats.baseAddress else { continue }
            let count = factor.gradient.floats.count
            for part in 0..<parts {
                guard let source = gradients[part].floats.baseAddress.map({ $0 + offset }) else { continue }
                if part == 0 {
                    target.update(from: source, count: count)
                } else {
                    RowArithmetic.add(source, to: target, count: count)
                }
            }
            offset += count
        }
    }

    private func hiddenGradient(_ part: Range<Int>, _ rank: Int) -> MutableMatrixView {
        hiddenGradient.matrix(at: part.lowerBound * rank, rows: part.count, columns: rank)
    }

    /// Widens some rows after the other and calls the body with them.
    private func forEachBlock(of projection: DecoderProjection, _ body: (Range<Int>, MatrixView) -> Void) {
        let (rows, columns) = (projection.rows.rows, projection.rows.columns)
        for first in stride(from: 0, to: rows, by: Self.blockRows(projection.rows)) {
            let block = first..<min(first + Self.blockRows(projection.rows), rows)
            let chunks = WorkUnits.ranges(block.count, parts: 2 * units.threads)
            units.perform(chunks.count) { index, _ in
                guard let base = weight.floats.baseAddress else { return }
                let chunk = chunks[index]
                projection.rows.read(
                    rows: first + chunk.lowerBound..<first + chunk.upperBound, into: base + chunk.lowerBound * columns)
            }
            body(block, weight.matrix(rows: block.count, columns: columns).readOnly)
        }
    }

    private static func blockRows(_ rows: any RowReader) -> Int { max(1, scratchLimit / rows.columns) }
}
