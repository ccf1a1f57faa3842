import LinearAlgebra

/// A linear layer of a decoder with its adapter, or with one for each of several groups of a batch's rows.
struct DecoderProjection {
    let layer: AdaptedLayer
    /// The factors of each group of rows; one group where the batch has one adapter.
    private let groups: [LoRALayer?]
    let rows: any RowReader
    let bias: FrozenTensor?
    /// Where the adapter is DoRA.
    let directions: WeightDirections?
    /// Its place among the columns of an output that it may share with others.
    let columns: Range<Int>

    /// - Parameters:
    ///   - layer: with the first group's adapter.
    ///   - others: the factors of the other groups, without magnitudes.
    init(_ layer: AdaptedLayer, others: [LoRALayer?] = [], _ weights: DecoderWeights.Projection) {
        self.layer = layer
        groups = [layer.lora] + others
        rows = layer.frozen.rows
        bias = weights.bias
        columns = weights.columns
        directions = layer.lora.flatMap { lora in layer.magnitude.map { WeightDirections($0, rank: lora.rank) } }
    }

    /// Whether its factors are trained.
    var isTrained: Bool { layer.isTrained && layer.lora != nil }
    /// The count of a row's outputs that DoRA keeps before it scales them.
    var plainWidth: Int { directions == nil ? 0 : layer.outputs }
    /// The count of the numbers that are trained beside A and B: magnitudes, or a bias.
    var vectorWidth: Int { directions == nil && layer.lora?.bias == nil ? 0 : layer.outputs }
    /// The highest rank of a group.
    var rank: Int { groups.map { $0?.rank ?? 0 }.max() ?? 0 }

    /// The factors of some of a batch's rows, each with the rows that it has. Groups have the same number of rows.
    ///
    /// - Parameter count: the number of the batch's rows.
    func adapters(of rows: Range<Int>, count: Int) -> [(lora: LoRALayer, rows: Range<Int>)] {
        groups.indices.compactMap { group in
            let own = (count * group / groups.count..<count * (group + 1) / groups.count).clamped(to: rows)
            guard let lora = groups[group], !own.isEmpty else { return nil }
            return (lora, own)
        }
    }
}
