import LinearAlgebra

extension BertBase {
    /// The operations of an encoder with LoRA of one rank on query and value. In the last layer, one row of each text
    /// is a query.
    ///
    /// Pooler and classifier are left out, because they process one row of each text.
    package func stepOperations(ranks: [Int], batch: Int, length: Int) -> Double {
        let configuration = encoder.configuration
        let (rows, hidden, rank) = (batch * length, configuration.hidden, ranks.first ?? 0)
        return (0..<configuration.layers).reduce(0) { sum, layer in
            let queryRows = layer == configuration.layers - 1 ? batch : rows
            let isLowest = layer == 0
            let attention = MatrixProduct.operations(queryRows, length, hidden)
            let dense =
                MatrixProduct.operations(queryRows, hidden, hidden)
                + 2 * MatrixProduct.operations(queryRows, hidden, configuration.intermediate)
            let queries = MatrixProduct.operations(queryRows, hidden, hidden)
            let others = MatrixProduct.operations(rows, hidden, hidden)
            let factors =
                MatrixProduct.operations(queryRows, hidden, rank) + MatrixProduct.operations(rows, hidden, rank)
            let forward = queries + 2 * others + 2 * factors + 2 * attention + dense
            // The gradients of each factor and of x·Aᵀ; where a lower layer is trained, also that of the input.
            let below = isLowest ? 0 : queries + 2 * others + factors
            let backward = dense + (isLowest ? 3 : 4) * attention + 3 * factors + below
            return sum + forward + backward
        }
    }
}
