import LinearAlgebra
import ModelFiles

/// One text that a decoder goes on with, token by token. What was computed for the tokens so far is kept.
final class DecoderContinuation {
    /// The most tokens of the text.
    let capacity: Int
    /// The number of tokens so far.
    private(set) var count = 0

    private let weights: DecoderWeights
    private let steps: [DecoderLayerStep]
    private let products: WidenedProducts
    private let loss: VocabularyLoss
    private let caches: [KeyValueCache]
    private let activations: DecoderActivations
    private let scratch: [CausalAttention.Scratch]
    /// (block × hidden), used in turn.
    private let rows: [FloatBlock]

    private static let block = CausalAttention.block

    /// - Parameters:
    ///   - layers: the projections of every layer, in the order of the weights.
    ///   - capacity: the most tokens; keys and values take memory for all of them at once.
    init(_ weights: DecoderWeights, layers: [AdaptedLayer], capacity: Int, threads: Int) {
        self.weights = weights
        self.capacity = capacity
        let configuration = weights.configuration
        let units = WorkUnits(threads: threads)
        let projections = zip(layers, weights.layers.flatMap(\.projections)).map { DecoderProjection($0, $1) }
        products = WidenedProducts(projections, precision: .float32, units: units)
        products.reserve(rows: Self.block)
        steps = DecoderLayerStep.all(weights, projections, products, positions: capacity)
        loss = VocabularyLoss(weights.head, rowLimit: 1, precision: .float32, units: units)
        caches = weights.layers.map { _ in KeyValueCache(width: 2 * configuration.keyValueWidth, capacity: capacity) }
        activations = DecoderActivations(
            configuration, .init(widest: steps.map { .init($0.projections) }), rows: Self.block)
        scratch = (0..<units.threads).map { _ in CausalAttention.Scratch(longest: capacity) }
        rows = (0..<2).map { _ in FloatBlock(count: Self.block * configuration.hidden) }
    }

    /// Takes the next tokens of the text.
    ///
    /// - Returns: the logits of the token after them.
    /// - Precondition: there is at least one token, each is of the vocabulary, and all fit in.
    func take(_ tokens: [Int32]) -> [Float] {
        precondition(!tokens.isEmpty && count + tokens.count <= capacity, "\(count) + \(tokens.count) of \(capacity)")
        var rest = tokens[...]
        while rest.count > Self.block {
            _ = advance(rest.prefix(Self.block))
            rest = rest.dropFirst(Self.block)
        }
        let output = advance(rest)
        let last = rows[1 - steps.count % 2].matrix(rows: 1, columns: output.columns)
        weights.finalNorm.forward(output.block(output.rows - 1..<output.rows, 0..<output.columns), into: last)
        let logits = loss.multiply(last.readOnly)
        return Array(UnsafeBufferPointer(start: logits.base, count: logits.columns))
    }

    /// Forgets the tokens after the first `count`.
    ///
    /// - Precondition: there are as many.
    func rewind(to count: Int) {
        precondition((0...self.count).contains(count), "\(count) of \(self.count) tokens")
        self.count = count
    }

    /// The highest layer's output for the next tokens.
    private func advance(_ tokens: ArraySlice<Int32>) -> MatrixView {
        let hidden = weights.configuration.hidden
        weights.embed(Array(tokens), positions: Array(count..<count + tokens.count), rows[0])
        for (index, step) in steps.enumerated() {
            step.extend(
                caches[index], at: count, rows[index % 2].matrix(rows: tokens.count, columns: hidden).readOnly,
                into: rows[(index + 1) % 2].matrix(rows: tokens.count, columns: hidden), activations, scratch: scratch)
        }
        count += tokens.count
        return rows[steps.count % 2].matrix(rows: tokens.count, columns: hidden).readOnly
    }
}
