import LinearAlgebra
import ModelFiles

/// The sequences of a batch, one behind the other without padding, and the memory that all layers use in turn for them.
///
/// Memory is allocated when a batch needs more of it than all before.
final class DecoderWorkspace {
    /// The rows of each sequence of the batch.
    private(set) var sequences: [Range<Int>] = []
    /// The position of each row in its sequence.
    private(set) var positions: [Int] = []
    /// For each thread.
    private(set) var attention: [CausalAttention.Scratch] = []
    /// (rows × hidden): the gradient of a layer's output, and then of its input.
    private(set) var gradient = FloatBlock(count: 0)
    /// (rows × hidden): the gradient of a normalised input.
    private(set) var normedGradient = FloatBlock(count: 0)
    /// (rows × attentionWidth): the gradients of queries, keys and values.
    private(set) var headsGradient = FloatBlock(count: 0)
    /// For each part, a row of queries and keys, where the model has norms of heads.
    let headSums: [FloatBlock]

    private let configuration: ModelConfiguration
    private let threads: Int
    private let widths: [DecoderActivations.Widths]
    /// For each projection, what it needs in any layer.
    private let widest: DecoderActivations.Widths
    /// The number of the highest layers whose activations are kept for the gradients.
    private let keptLayers: Int
    /// (rows × hidden): inputs of layers, by their place; empty where none was needed yet.
    private var inputs: [FloatBlock?]
    /// By layer, and one more that the others share.
    private var activations: [DecoderActivations?]
    private var capacity = 0
    private var longest = 0

    /// - Parameters:
    ///   - widths: what each layer's projections need.
    ///   - keptLayers: the activations of the others are computed again.
    init(_ configuration: ModelConfiguration, _ widths: [DecoderActivations.Widths], keptLayers: Int, threads: Int) {
        self.configuration = configuration
        self.widths = widths
        widest = .init(widest: widths)
        self.keptLayers = keptLayers
        self.threads = threads
        inputs = Array(repeating: nil, count: configuration.layers + 1)
        activations = Array(repeating: nil, count: configuration.layers + 1)
        let both = configuration.hasQueryKeyNorm ? configuration.queryWidth + configuration.keyValueWidth : 0
        headSums = (0..<WidenedProducts.parts).map { _ in FloatBlock(count: both) }
    }

    var rows: Int { positions.count }

    /// Begins a batch of sequences of these lengths.
    func begin(_ lengths: [Int]) {
        sequences = lengths.reduce(into: []) { sequences, length in
            let first = sequences.last?.upperBound ?? 0
            sequences.append(first..<first + length)
        }
        positions = lengths.flatMap { Array(0..<$0) }
        if let highest = lengths.max(), highest > longest {
            longest = highest
            attention = (0..<threads).map { _ in CausalAttention.Scratch(longest: longest) }
        }
        guard rows > capacity else { return }
        capacity = rows
        for index in inputs.indices { inputs[index] = nil }
        for index in activations.indices { activations[index] = nil }
        (gradient, normedGradient) = (FloatBlock(count: 0), FloatBlock(count: 0))
        headsGradient = FloatBlock(count: 0)
    }

    /// Makes room for gradients.
    func reserveGradients() {
        guard gradient.floats.count < capacity * configuration.hidden else { return }
        gradient = FloatBlock(count: capacity * configuration.hidden)
        normedGradient = FloatBlock(count: capacity * configuration.hidden)
        headsGradient = FloatBlock(count: capacity * configuration.attentionWidth)
    }

    /// (rows × hidden): the input of a layer, or the output of the one below.
    func input(_ place: Int) -> MutableMatrixView {
        block(place).matrix(rows: rows, columns: configuration.hidden)
    }

    /// The memory of `input`.
    func block(_ place: Int) -> FloatBlock {
        let block = inputs[place] ?? FloatBlock(count: capacity * configuration.hidden)
        inputs[place] = block
        return block
    }

    /// The memory of a layer's activations.
    func activations(of layer: Int) -> DecoderActivations {
        let place = isKept(layer) ? layer : activations.count - 1
        let block =
            activations[place]
            ?? DecoderActivations(
                configuration, isKept(layer) ? widths[layer] : widest, rows: capacity)
        activations[place] = block
        return block
    }

    /// Whether a layer's activations stay until its gradients are computed.
    func isKept(_ layer: Int) -> Bool { layer >= configuration.layers - keptLayers }
}
