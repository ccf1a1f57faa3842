import LinearAlgebra
import ModelFiles

/// The forward and backward pass of one decoder layer: attention, then the feed-forward part, each on a normalised input
/// and added to it.
struct DecoderLayerStep {
    /// What all layers of a model use in turn.
    struct Shared {
        let configuration: ModelConfiguration
        let products: WidenedProducts
        /// nil where positions are learned.
        let rotations: RotaryTable?
    }

    private let weights: DecoderWeights.Layer
    private let shared: Shared
    private let attentionInputs: [DecoderProjection]
    private let attentionOutput: DecoderProjection
    private let feedForwardInputs: [DecoderProjection]
    private let feedForwardOutput: DecoderProjection

    /// - Parameter projections: those of the layer, in the order of its weights.
    init(_ weights: DecoderWeights.Layer, _ projections: ArraySlice<DecoderProjection>, _ shared: Shared) {
        self.weights = weights
        self.shared = shared
        var rest = projections
        func take(_ count: Int) -> [DecoderProjection] {
            defer { rest = rest.dropFirst(count) }
            return Array(rest.prefix(count))
        }
        attentionInputs = take(weights.attentionInputs.count)
        attentionOutput = rest.removeFirst()
        feedForwardInputs = take(weights.feedForwardInputs.count)
        feedForwardOutput = rest.removeFirst()
    }

    /// The steps of all layers.
    ///
    /// - Parameters:
    ///   - projections: those of every layer, in the order of the weights.
    ///   - positions: the number of positions that a row may have.
    static func all(
        _ weights: DecoderWeights, _ projections: [DecoderProjection], _ products: WidenedProducts, positions: Int
    ) -> [DecoderLayerStep] {
        let configuration = weights.configuration
        let shared = Shared(
            configuration: configuration, products: products,
            rotations: configuration.rotary.map {
                RotaryTable(frequencies: $0.frequencies, factor: $0.magnitude, positions: positions)
            })
        let width = projections.count / weights.layers.count
        return weights.layers.enumerated().map { index, layer in
            DecoderLayerStep(layer, projections[index * width..<(index + 1) * width], shared)
        }
    }

    var projections: [DecoderProjection] {
        attentionInputs + [attentionOutput] + feedForwardInputs + [feedForwardOutput]
    }

    var isTrained: Bool { projections.contains(where: \.isTrained) }

    private var configuration: ModelConfiguration { shared.configuration }
    private var products: WidenedProducts { shared.products }

    /// - Parameters:
    ///   - input: (rows × hidden)
    ///   - output: (rows × hidden), not the input; nil where only the activations are needed.
    func forward(
        _ batch: DecoderWorkspace, _ input: MatrixView, into output: MutableMatrixView?, _ kept: DecoderActivations
    ) {
        let heads = heads(of: input, positions: batch.positions, kept)
        let context = kept.context.matrix(rows: input.rows, columns: configuration.queryWidth)
        let attention = CausalAttention(configuration)
        let units = attention.units(batch.sequences)
        products.units.perform(units.count) { unit, thread in
            attention.forward(units[unit], inputs: heads, into: context, scratch: batch.attention[thread])
        }
        finish(input, into: output, kept)
    }

    /// The forward pass for the next rows of one text, which see those before them in the cache and join them.
    ///
    /// - Parameters:
    ///   - first: the position of the first row.
    ///   - scratch: for each thread.
    func extend(
        _ cache: KeyValueCache, at first: Int, _ input: MatrixView, into output: MutableMatrixView,
        _ kept: DecoderActivations, scratch: [CausalAttention.Scratch]
    ) {
        let heads = heads(of: input, positions: Array(first..<first + input.rows), kept)
        cache.write(heads.block(0..<input.rows, configuration.queryWidth..<configuration.attentionWidth), at: first)
        let context = kept.context.matrix(rows: input.rows, columns: configuration.queryWidth)
        let attention = CausalAttention(configuration)
        products.units.perform(configuration.keyValueHeads) { head, thread in
            attention.extend(
                head, queries: heads, keysAndValues: cache.matrix(rows: first + input.rows), into: context,
                scratch: scratch[thread])
        }
        finish(input, into: output, kept)
    }

    /// The queries, keys and values of normalised rows, each at its position: (rows × attentionWidth).
    private func heads(of input: MatrixView, positions: [Int], _ kept: DecoderActivations) -> MatrixView {
        let rows = input.rows
        let normed = kept.attentionInput.matrix(rows: rows, columns: configuration.hidden)
        products.forEachPart(of: rows) { part, _ in
            weights.attentionNorm.forward(input.part(part), into: normed.part(part))
        }
        let heads = kept.heads.matrix(rows: rows, columns: configuration.attentionWidth)
        for (index, projection) in attentionInputs.enumerated() {
            products.forward(
                projection, normed.readOnly, into: heads, hidden: kept.hiddens[index], plain: kept.plains[index])
        }
        place(positions, heads, kept)
        return heads.readOnly
    }

    /// What follows attention: its output projection and the feed-forward part.
    private func finish(_ input: MatrixView, into output: MutableMatrixView?, _ kept: DecoderActivations) {
        let rows = input.rows
        let context = kept.context.matrix(rows: rows, columns: configuration.queryWidth)
        let middle = kept.middle.matrix(rows: rows, columns: configuration.hidden)
        products.forEachPart(of: rows) { part, _ in middle.part(part).copy(input.part(part)) }
        products.forward(
            attentionOutput, context.readOnly, into: middle, isAdded: true, hidden: kept.hiddens[attentionInputs.count],
            plain: kept.plains[attentionInputs.count])
        let inner = kept.feedForwardInput.matrix(rows: rows, columns: configuration.hidden)
        products.forEachPart(of: rows) { part, _ in
            weights.feedForwardNorm.forward(middle.readOnly.part(part), into: inner.part(part))
        }
        let gates = kept.gates.matrix(rows: rows, columns: configuration.gateWidth)
        for (index, projection) in feedForwardInputs.enumerated() {
            let place = attentionInputs.count + 1 + index
            products.forward(
                projection, inner.readOnly, into: gates, hidden: kept.hiddens[place], plain: kept.plains[place])
        }
        let intermediate = kept.intermediate.matrix(rows: rows, columns: configuration.intermediate)
        products.forEachPart(of: rows) { part, _ in
            if configuration.isGated {
                SwiGLU.apply(gates.readOnly.part(part), into: intermediate.part(part))
            } else {
                TanhGELU.apply(gates.readOnly.part(part), into: intermediate.part(part))
            }
        }
        let (last, plain) = (kept.hiddens[kept.hiddens.count - 1], kept.plains[kept.plains.count - 1])
        guard let output else {
            if feedForwardOutput.directions == nil {
                products.project(feedForwardOutput, intermediate.readOnly, hidden: last)
            } else {
                products.forward(feedForwardOutput, intermediate.readOnly, into: nil, hidden: last, plain: plain)
            }
            return
        }
        products.forEachPart(of: rows) { part, _ in output.part(part).copy(middle.readOnly.part(part)) }
        products.forward(
            feedForwardOutput, intermediate.readOnly, into: output, isAdded: true, hidden: last, plain: plain)
    }

    /// Computes the gradients of the layer's factors.
    ///
    /// - Parameters:
    ///   - input: the input of `forward`; `kept` is what it left, which is used up.
    ///   - gradient: the output's gradient (rows × hidden). It becomes that of the input, where that is needed.
    func backward(
        _ batch: DecoderWorkspace, _ input: MatrixView, gradient: MutableMatrixView, _ kept: DecoderActivations,
        isInputNeeded: Bool
    ) {
        let rows = input.rows
        let hidden = configuration.hidden
        let intermediate = kept.intermediate.matrix(rows: rows, columns: configuration.intermediate)
        products.backward(
            feedForwardOutput, intermediate.readOnly, gradient: gradient.readOnly, into: intermediate,
            hidden: kept.hiddens[kept.hiddens.count - 1], plain: kept.plains[kept.plains.count - 1])
        let gates = kept.gates.matrix(rows: rows, columns: configuration.gateWidth)
        products.forEachPart(of: rows) { part, _ in
            if configuration.isGated {
                SwiGLU.propagate(intermediate.readOnly.part(part), replacing: gates.part(part))
            } else {
                TanhGELU.propagate(intermediate.readOnly.part(part), replacing: gates.part(part))
            }
        }
        let normed = batch.normedGradient.matrix(rows: rows, columns: hidden)
        for (index, projection) in feedForwardInputs.enumerated() {
            products.backward(
                projection, kept.feedForwardInput.matrix(rows: rows, columns: hidden).readOnly,
                gradient: gates.readOnly, into: normed, isAdded: index > 0,
                hidden: kept.hiddens[attentionInputs.count + 1 + index],
                plain: kept.plains[attentionInputs.count + 1 + index])
        }
        let middle = kept.middle.matrix(rows: rows, columns: hidden).readOnly
        products.forEachPart(of: rows) { part, _ in
            weights.feedForwardNorm.backward(
                normed.part(part), input: middle.part(part), addingTo: gradient.part(part))
        }
        let context = kept.context.matrix(rows: rows, columns: configuration.queryWidth)
        products.backward(
            attentionOutput, context.readOnly, gradient: gradient.readOnly, into: context,
            hidden: kept.hiddens[attentionInputs.count], plain: kept.plains[attentionInputs.count])
        let heads = kept.heads.matrix(rows: rows, columns: configuration.attentionWidth)
        let slopes = batch.headsGradient.matrix(rows: rows, columns: configuration.attentionWidth)
        let attention = CausalAttention(configuration)
        let units = attention.units(batch.sequences)
        products.units.perform(units.count) { unit, thread in
            attention.backward(
                units[unit], context: context.readOnly, inputs: heads.readOnly, into: slopes,
                scratch: batch.attention[thread])
        }
        takeBack(batch, slopes, kept)
        for (index, projection) in attentionInputs.enumerated() {
            products.backward(
                projection, kept.attentionInput.matrix(rows: rows, columns: hidden).readOnly,
                gradient: slopes.readOnly, into: isInputNeeded ? normed : nil, isAdded: index > 0,
                hidden: kept.hiddens[index], plain: kept.plains[index])
        }
        guard isInputNeeded else { return }
        products.forEachPart(of: rows) { part, _ in
            weights.attentionNorm.backward(normed.part(part), input: input.part(part), addingTo: gradient.part(part))
        }
    }

    /// Normalises queries and keys head by head, where the model does so, and rotates them by their positions.
    private func place(_ positions: [Int], _ heads: MutableMatrixView, _ kept: DecoderActivations) {
        let both = configuration.queryWidth + configuration.keyValueWidth
        products.forEachPart(of: heads.rows) { part, _ in
            for row in part {
                let values = heads.base + row * heads.stride
                if let norms = weights.headNorms {
                    UnsafeMutableBufferPointer(rebasing: kept.plainHeads.floats[(row * both)...]).baseAddress?.update(
                        from: values, count: both)
                    forEachHeads(norms) { norm, columns in
                        let matrix = headMatrix(values + columns.lowerBound, columns)
                        norm.forward(matrix.readOnly, into: matrix)
                    }
                }
                shared.rotations?.rotate(
                    values, heads: configuration.heads + configuration.keyValueHeads, position: positions[row])
            }
        }
    }

    /// The gradient through `place`, in place.
    private func takeBack(_ batch: DecoderWorkspace, _ slopes: MutableMatrixView, _ kept: DecoderActivations) {
        let both = configuration.queryWidth + configuration.keyValueWidth
        products.forEachPart(of: slopes.rows) { part, index in
            for row in part {
                let values = slopes.base + row * slopes.stride
                shared.rotations?.rotate(
                    values, heads: configuration.heads + configuration.keyValueHeads, position: batch.positions[row],
                    isInverse: true)
                guard let norms = weights.headNorms else { continue }
                let sums = batch.headSums[index]
                let plain = UnsafeMutableBufferPointer(rebasing: kept.plainHeads.floats[(row * both)...])
                guard let plain = plain.baseAddress, let sum = sums.floats.baseAddress else { continue }
                sum.update(repeating: 0, count: both)
                forEachHeads(norms) { norm, columns in
                    norm.backward(
                        headMatrix(values + columns.lowerBound, columns),
                        input: headMatrix(plain + columns.lowerBound, columns).readOnly,
                        addingTo: headMatrix(sum + columns.lowerBound, columns))
                }
                values.update(from: sum, count: both)
            }
        }
    }

    private func forEachHeads(
        _ norms: (query: DecoderNorm, key: DecoderNorm), _ body: (DecoderNorm, Range<Int>) -> Void
    ) {
        body(norms.query, 0..<configuration.queryWidth)
        body(norms.key, configuration.queryWidth..<configuration.queryWidth + configuration.keyValueWidth)
    }

    /// A row's heads as rows.
    private func headMatrix(_ values: UnsafeMutablePointer<Float>, _ columns: Range<Int>) -> MutableMatrixView {
        MutableMatrixView(
            UnsafeMutableBufferPointer(start: values, count: columns.count),
            rows: columns.count / configuration.headWidth, columns: configuration.headWidth)
    }
}

extension MatrixView {
    fileprivate func part(_ rows: Range<Int>) -> MatrixView { block(rows, 0..<columns) }
}

extension MutableMatrixView {
    fileprivate func part(_ rows: Range<Int>) -> MutableMatrixView { block(rows, 0..<columns) }

    /// Copies a matrix of this shape.
    fileprivate func copy(_ source: MatrixView) {
        for row in 0..<rows { (base + row * stride).update(from: source.base + row * source.stride, count: columns) }
    }
}
