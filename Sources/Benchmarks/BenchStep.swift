import Training

/// The floating-point operations in the matrix products of one training step, as the native trainer forms them.
enum BenchStep {
    /// Of linear layers with LoRA.
    ///
    /// - Parameter isLowest: whether nothing below the first of them is trained.
    static func flops(
        of layers: [PerceptronShape.Layer], ranks: ArraySlice<Int>, batch: Int, isLowest: Bool
    ) -> Double {
        zip(layers, ranks).enumerated().reduce(0) { sum, layer in
            let (inputs, outputs, rank) = (layer.element.0.inputs, layer.element.0.outputs, layer.element.1)
            let down = product(batch, inputs, rank)
            let up = product(batch, rank, outputs)
            let frozen = product(batch, inputs, outputs)
            let below = isLowest && layer.offset == 0 ? 0 : frozen + down
            // x·Wᵀ, x·Aᵀ and h·Bᵀ; the gradients of B, h and A; that of x.
            return sum + (frozen + down + up) + (2 * up + down) + below
        }
    }

    /// Of a convolutional net with LoRA on every layer, whose factors are multiplied out once a batch.
    static func flops(of shape: ConvolutionalShape, ranks: [Int], batch: Int) -> Double {
        let convolutions = zip(shape.convolutions, ranks).enumerated().reduce(0.0) { sum, layer in
            let (sides, rank) = layer.element
            let inputs = sides.channels * sides.kernel * sides.kernel
            let factors = product(sides.outputs, rank, inputs)
            let image = product(sides.outputs, inputs, batch * sides.height * sides.width)
            return sum + 3 * factors + image * (layer.offset == 0 ? 2 : 3)
        }
        return convolutions
            + flops(of: shape.linear, ranks: ranks.dropFirst(shape.convolutions.count), batch: batch, isLowest: false)
    }

    /// Of a BERT encoder with LoRA on query and value, where one row of each text asks in the last layer.
    ///
    /// Pooler and classifier are left out; they see a row of each text.
    static func flops(of sides: BertConfiguration, rank: Int, texts: Int, length: Int) -> Double {
        let (rows, hidden) = (texts * length, sides.hidden)
        return (0..<sides.layers).reduce(0) { sum, layer in
            let asking = layer == sides.layers - 1 ? texts : rows
            let isLowest = layer == 0
            let attention = product(asking, length, hidden)
            let dense = product(asking, hidden, hidden) + 2 * product(asking, hidden, sides.intermediate)
            let queries = product(asking, hidden, hidden)
            let others = product(rows, hidden, hidden)
            let factors = product(asking, hidden, rank) + product(rows, hidden, rank)
            let forward = queries + 2 * others + 2 * factors + 2 * attention + dense
            // Each factor's gradient and that of what lies between them; where a layer is trained below, that of the input.
            let below = isLowest ? 0 : queries + 2 * others + factors
            let backward = dense + (isLowest ? 3 : 4) * attention + 3 * factors + below
            return sum + forward + backward
        }
    }

    private static func product(_ m: Int, _ k: Int, _ n: Int) -> Double { 2 * Double(m) * Double(k) * Double(n) }
}
