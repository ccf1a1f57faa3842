import LinearAlgebra

/// The products of a batch by matrices that stay in their file: some rows of a matrix are widened to scratch memory, and all
/// parts of the batch are then multiplied by them.
///
/// A batch has four parts of about the same number of rows, on any number of threads, so that the bytes are the same.
///
/// With `bfloat16` the products by the matrices themselves take rounded numbers; the adapters' are in floats, and so are those of
/// DoRA's matrices.
final class WidenedProducts {
    static let parts = 4
    /// The count of numbers of a matrix that are widened at a time: few enough for the second-level caches of two cores.
    private static let scratchLimit = 1 << 20

    /// A multiple divides the rows that are widened at a time, but for the last ones.
    private static let rowStep = RoundedProduct.panel

    let units: WorkUnits
    private let isRounded: Bool
    /// Some rows as floats; empty where all matrices are rounded.
    private let weight: FloatBlock
    /// Some rows as a packed right factor; empty where none is rounded.
    private let panels: FloatBlock
    /// For each thread, the rows that it packs.
    private let unpacked: [FloatBlock]
    /// For each part, its rows as a packed left factor.
    private var tiles: [FloatBlock] = []
    private let widest: Int
    /// For each part, its share of the gradients of one layer's A and B, and of its magnitudes or bias behind them.
    private let gradients: [FloatBlock]
    /// (rows × rank): the gradient of x·Aᵀ.
    private var hiddenGradient = FloatBlock(count: 0)

    /// - Parameters:
    ///   - projections: all that are multiplied by.
    ///   - precision: of the products by the matrices.
    init(_ projections: [DecoderProjection], precision: ProductPrecision, units: WorkUnits) {
        self.units = units
        isRounded = precision == .bfloat16
        let (rounded, floats) = (
            projections.filter { precision == .bfloat16 && $0.directions == nil },
            projections.filter { precision == .float32 || $0.directions != nil }
        )
        weight = FloatBlock(count: floats.map { Self.blockRows($0.rows) * $0.rows.columns }.max() ?? 0)
        panels = FloatBlock(count: rounded.map { Self.panelCount($0.rows) }.max() ?? 0)
        let step = Self.rowStep * (rounded.map(\.rows.columns).max() ?? 0)
        unpacked = (0..<units.threads).map { _ in FloatBlock(count: step) }
        widest = rounded.map { max(Self.blockRows($0.rows), $0.rows.columns) }.max() ?? 0
        let factors = projections.map { $0.rank * ($0.layer.inputs + $0.layer.outputs) }.max() ?? 0
        widestPlain = projections.map(\.plainWidth).max() ?? 0
        let vectors = projections.map(\.vectorWidth).max() ?? 0
        gradients = (0..<Self.parts).map { _ in FloatBlock(count: factors + vectors) }
        highestRank = projections.map(\.rank).max() ?? 0
    }

    private let highestRank: Int
    private let widestPlain: Int
    /// (rows × outputs): the gradient of DoRA's output before its scaling.
    private var plainGradient = FloatBlock(count: 0)

    /// The count of numbers that this takes for a batch of `rows` rows.
    static func count(_ layers: [AdaptedLayer], rows: Int, precision: ProductPrecision) -> Int {
        let ranks = layers.map { $0.lora?.rank ?? 0 }
        let factors = zip(layers, ranks).map { $1 * ($0.inputs + $0.outputs) }.max() ?? 0
        let plains = layers.map { $0.magnitude == nil ? 0 : $0.outputs }.max() ?? 0
        var count = scratchLimit + parts * (factors + plains) + rows * ((ranks.max() ?? 0) + plains)
        if precision == .bfloat16 {
            let widest = layers.map { max(min($0.outputs, scratchLimit / $0.inputs), $0.inputs) }.max() ?? 0
            count += rows * widest / 2 + (plains > 0 ? scratchLimit / 2 : 0)
        }
        return count
    }

    /// The count of floats whose memory holds some rows of a matrix as either right factor.
    private static func panelCount(_ rows: any RowReader) -> Int {
        let block = blockRows(rows)
        return max(
            RoundedProduct.panelCount(columns: block, depth: rows.columns),
            RoundedProduct.panelCount(columns: rows.columns, depth: block))
    }

    /// Makes room for a batch.
    func reserve(rows: Int) {
        if hiddenGradient.floats.count < rows * highestRank {
            hiddenGradient = FloatBlock(count: rows * highestRank)
        }
        if plainGradient.floats.count < rows * widestPlain { plainGradient = FloatBlock(count: rows * widestPlain) }
        let tileCount = RoundedProduct.tileCount(rows: (rows + Self.parts - 1) / Self.parts, depth: widest)
        if isRounded, tiles.first.map({ $0.floats.count < tileCount }) ?? true {
            tiles = (0..<Self.parts).map { _ in FloatBlock(count: tileCount) }
        }
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
        if isRounded, projection.directions == nil {
            guard let output else { return }
            forEachRoundedBlock(of: projection, isTransposed: true) { rows in
                units.perform(parts.count) { index, _ in
                    multiplyRounded(
                        projection, input, parts[index], tiles[index], rows: rows, into: output, isAdded: isAdded,
                        hidden: hidden)
                }
            }
            return
        }
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
        if let directions = projection.directions {
            let z = plain.matrix(rows: input.rows, columns: projection.layer.outputs).block(part, rows)
            MatrixProduct.accumulate(into: z, input.block(part, 0..<input.columns), .asGiven, weight, .transposed)
            addAdapters(of: projection, rows, hidden, part, count: input.rows, to: z)
            guard let y else { return }
            directions.apply(z.readOnly, columns: rows, bias: bias, into: y, isAdded: isAdded)
            return
        }
        guard let y else { return }
        if let bias { Self.begin(y, with: bias, isAdded: isAdded) }
        MatrixProduct.accumulate(
            into: y, keep: isAdded || projection.bias != nil ? 1 : 0, input.block(part, 0..<input.columns), .asGiven,
            weight, .transposed)
        addAdapters(of: projection, rows, hidden, part, count: input.rows, to: y)
    }

    /// A part of the batch by some rows of a rounded matrix, which are in `panels`.
    private func multiplyRounded(
        _ projection: DecoderProjection, _ input: MatrixView, _ part: Range<Int>, _ tile: FloatBlock, rows: Range<Int>,
        into output: MutableMatrixView, isAdded: Bool, hidden: FloatBlock
    ) {
        let first = projection.columns.lowerBound
        let y = output.block(part, first + rows.lowerBound..<first + rows.upperBound)
        if let bias = projection.bias {
            Self.begin(y, with: UnsafeBufferPointer(rebasing: bias.floats[rows]), isAdded: isAdded)
        }
        if rows.lowerBound == 0 { RoundedProduct.pack(left: input.block(part, 0..<input.columns), into: tile) }
        RoundedProduct.multiply(
            tile, panels, depth: input.columns, into: y, isAdded: isAdded || projection.bias != nil)
        addAdapters(of: projection, rows, hidden, part, count: input.rows, to: y)
    }

    /// output ← bias, or that is added to it.
    private static func begin(_ output: MutableMatrixView, with bias: UnsafeBufferPointer<Float>, isAdded: Bool) {
        guard isAdded else { return RowArithmetic.fill(output, with: bias) }
        guard let bias = bias.baseAddress else { return }
        for row in 0..<output.rows {
            RowArithmetic.add(bias, to: output.base + row * output.stride, count: output.columns)
        }
    }

    /// output ← output + s·(x·Aᵀ)·Bᵀ for some rows of the matrix.
    ///
    /// - Parameter count: the number of the batch's rows.
    private func addAdapters(
        of projection: DecoderProjection, _ rows: Range<Int>, _ hidden: FloatBlock, _ part: Range<Int>, count: Int,
        to output: MutableMatrixView
    ) {
        for (lora, own) in projection.adapters(of: part, count: count) {
            let target = output.block(
                own.lowerBound - part.lowerBound..<own.upperBound - part.lowerBound, 0..<output.columns)
            MatrixProduct.accumulate(
                into: target, keep: 1, scale: lora.scale,
                hidden.matrix(at: own.lowerBound * projection.rank, rows: own.count, columns: lora.rank).readOnly,
                .asGiven, lora.b.matrix.block(0..<lora.rank, rows), .asGiven)
            guard let bias = lora.bias?.matrix.base else { continue }
            for row in 0..<target.rows {
                let values = target.base + row * target.stride
                for (column, output) in rows.enumerated() { values[column] += lora.scale * bias[output] }
            }
        }
    }

    /// hidden ← x·Aᵀ, for each group of rows by its own A. It is called alone where the gradients need it and nobody the output.
    func project(_ projection: DecoderProjection, _ input: MatrixView, hidden: FloatBlock) {
        guard projection.rank > 0 else { return }
        forEachPart(of: input.rows) { part, _ in
            for (lora, own) in projection.adapters(of: part, count: input.rows) {
                MatrixProduct.accumulate(
                    into: hidden.matrix(at: own.lowerBound * projection.rank, rows: own.count, columns: lora.rank),
                    input.block(own, 0..<input.columns), .asGiven, lora.a.matrix, .transposed)
            }
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
        /// A part of the batch by some rows of the matrix; `weight` is nil where these are rounded.
        func propagate(_ rows: Range<Int>, _ weight: MatrixView?) {
            forEachPart(of: input.rows) { [slopes] part, index in
                if rows.lowerBound == 0 { collect(projection, input, slopes, hidden, part, index) }
                let x = target.block(part, 0..<target.columns)
                let (y, isAdded) = (slopes.block(part, rows), isAdded || rows.lowerBound > 0)
                if let weight {
                    MatrixProduct.accumulate(into: x, keep: isAdded ? 1 : 0, y, .asGiven, weight, .asGiven)
                } else {
                    RoundedProduct.pack(left: y, into: tiles[index])
                    RoundedProduct.multiply(tiles[index], panels, depth: rows.count, into: x, isAdded: isAdded)
                }
                guard let lora = projection.layer.lora, rows.lowerBound == 0 else { return }
                MatrixProduct.accumulate(
                    into: x, keep: 1, hiddenGradient(part, lora.rank).readOnly, .asGiven, lora.a.matrix, .asGiven)
            }
        }
        if isRounded, projection.directions == nil {
            forEachRoundedBlock(of: projection, isTransposed: false) { propagate($0, nil) }
        } else {
            forEachBlock(of: projection) { propagate($0, $1) }
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
            y, .asGiven)
        guard lora.bias != nil else { return }
        let sums = gradients[index].matrix(at: lora.rank * (input.columns + y.columns), rows: 1, columns: y.columns)
        sums.base.update(repeating: 0, count: y.columns)
        for row in 0..<y.rows {
            let values = y.base + row * y.stride
            for column in 0..<y.columns { sums.base[column] += lora.scale * values[column] }
        }
    }

    /// The factors' gradients ← the sums of all parts, in the parts' order.
    private func addParts(of projection: DecoderProjection, rows: Int) {
        guard let lora = projection.layer.lora else { return }
        let parts = WorkUnits.ranges(rows, parts: Self.parts).count
        var offset = 0
        for factor in [lora.a, lora.b] + [projection.layer.magnitude, lora.bias].compactMap(\.self) {
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

    /// Packs some rows after the other into `panels` and calls the body.
    ///
    /// - Parameter isTransposed: for x·Wᵀ; else for dY·W.
    private func forEachRoundedBlock(
        of projection: DecoderProjection, isTransposed: Bool, _ body: (Range<Int>) -> Void
    ) {
        let (rows, columns) = (projection.rows.rows, projection.rows.columns)
        for first in stride(from: 0, to: rows, by: Self.blockRows(projection.rows)) {
            let block = first..<min(first + Self.blockRows(projection.rows), rows)
            units.perform((block.count + Self.rowStep - 1) / Self.rowStep) { index, thread in
                let chunk = index * Self.rowStep..<min((index + 1) * Self.rowStep, block.count)
                guard let base = unpacked[thread].floats.baseAddress else { return }
                projection.rows.read(rows: first + chunk.lowerBound..<first + chunk.upperBound, into: base)
                let weight = unpacked[thread].matrix(rows: chunk.count, columns: columns).readOnly
                if isTransposed {
                    RoundedProduct.pack(transposed: weight, at: chunk.lowerBound, into: panels)
                } else {
                    RoundedProduct.pack(weight, rows: chunk, of: block.count, into: panels)
                }
            }
            body(block)
        }
    }

    private static func blockRows(_ rows: any RowReader) -> Int {
        min(rows.rows, max(rowStep, scratchLimit / rows.columns / rowStep * rowStep))
    }
}
