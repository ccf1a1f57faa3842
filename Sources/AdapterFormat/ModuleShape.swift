/// One adapted module of a federation: what its factors look like at any rank.
package struct ModuleShape: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        case linear
        /// Inputs are the rows of the table, outputs its columns.
        case embedding
        /// A is (rank × channels × height × width), B (outputs × rank × 1 × 1).
        case conv2d(height: Int, width: Int)
    }

    /// PEFT's module path.
    package let name: String
    package let kind: Kind
    /// The length of a row of A; for a convolution channels × height × width.
    package let inputs: Int
    /// The length of a column of B.
    package let outputs: Int
    /// The rank R of the global adapter here.
    package let maximumRank: Int
    /// Whether `lora_B` has a bias.
    package let hasBias: Bool

    package init(
        name: String, kind: Kind = .linear, inputs: Int, outputs: Int, maximumRank: Int, hasBias: Bool = false
    ) {
        self.name = name
        self.kind = kind
        self.inputs = inputs
        self.outputs = outputs
        self.maximumRank = maximumRank
        self.hasBias = hasBias
    }

    package var isEmbedding: Bool { kind == .embedding }
    package var nameOfA: TensorName { .factorA(module: name, embedding: isEmbedding) }
    package var nameOfB: TensorName { .factorB(module: name, embedding: isEmbedding) }
    package var nameOfBias: TensorName { .bias(module: name) }

    /// The shape of A as PEFT stores it.
    package func shapeOfA(rank: Int) -> [Int] {
        switch kind {
        case .linear, .embedding: [rank, inputs]
        case .conv2d(let height, let width): [rank, inputs / (height * width), height, width]
        }
    }

    /// The shape of B as PEFT stores it.
    package func shapeOfB(rank: Int) -> [Int] {
        switch kind {
        case .linear, .embedding: [outputs, rank]
        case .conv2d: [outputs, rank, 1, 1]
        }
    }
}
