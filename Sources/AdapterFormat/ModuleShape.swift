/// One adapted module of a federation: the shape of its factors at any rank.
///
/// A parameter of experts (PEFT's `target_parameters`) has one such shape for each expert, because each has its own
/// product. In files, their factors are packed in the two tensors of their owner.
package struct ModuleShape: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        case linear
        /// Inputs are the rows of the table, outputs its columns.
        case embedding
        /// A is (rank × channels × height × width), B (outputs × rank × 1 × 1).
        case conv2d(height: Int, width: Int)
    }

    /// Which of a parameter's experts a shape is for.
    package struct Expert: Sendable, Hashable {
        package let index: Int
        package let count: Int

        package init(index: Int, count: Int) {
            self.index = index
            self.count = count
        }
    }

    /// Unique in the adapter: the owner's name; an expert's number follows after `#`.
    package let name: String
    /// PEFT's module path.
    package let owner: String
    package let kind: Kind
    /// The length of a row of A; for a convolution channels × height × width.
    package let inputs: Int
    /// The length of a column of B.
    package let outputs: Int
    /// The rank R of the global adapter in this module.
    package let maximumRank: Int
    /// Whether `lora_B` has a bias.
    package let hasBias: Bool
    /// The module's own `lora_alpha` (`alpha_pattern`); nil where it uses the federation's.
    package let alpha: Double?
    package let expert: Expert?

    /// - Parameter name: PEFT's module path.
    package init(
        name: String, kind: Kind = .linear, inputs: Int, outputs: Int, maximumRank: Int, hasBias: Bool = false,
        alpha: Double? = nil, expert: Expert? = nil
    ) {
        self.name = expert.map { "\(name)#\($0.index)" } ?? name
        owner = name
        self.kind = kind
        self.inputs = inputs
        self.outputs = outputs
        self.maximumRank = maximumRank
        self.hasBias = hasBias
        self.alpha = alpha
        self.expert = expert
    }

    /// The same module at another maximum rank.
    package func with(maximumRank: Int) -> ModuleShape {
        ModuleShape(
            name: owner, kind: kind, inputs: inputs, outputs: outputs, maximumRank: maximumRank, hasBias: hasBias,
            alpha: alpha, expert: expert)
    }

    /// The same module with its own alpha, or none.
    package func with(alpha: Double?) -> ModuleShape {
        ModuleShape(
            name: owner, kind: kind, inputs: inputs, outputs: outputs, maximumRank: maximumRank, hasBias: hasBias,
            alpha: alpha, expert: expert)
    }

    package var isEmbedding: Bool { kind == .embedding }
    package var nameOfA: TensorName { .factorA(module: owner, embedding: isEmbedding) }
    package var nameOfB: TensorName { .factorB(module: owner, embedding: isEmbedding) }
    package var nameOfBias: TensorName { .bias(module: owner) }
    /// How many modules share the two tensors: 1, or the number of experts.
    package var packedCount: Int { expert?.count ?? 1 }

    /// The shape of A as PEFT stores it, with all experts that share the tensor.
    package func shapeOfA(rank: Int) -> [Int] {
        switch kind {
        case .linear, .embedding: [rank * packedCount, inputs]
        case .conv2d(let height, let width): [rank, inputs / (height * width), height, width]
        }
    }

    /// The shape of B as PEFT stores it, with all experts that share the tensor.
    package func shapeOfB(rank: Int) -> [Int] {
        switch kind {
        case .linear, .embedding: [outputs, rank * packedCount]
        case .conv2d: [outputs, rank, 1, 1]
        }
    }
}
