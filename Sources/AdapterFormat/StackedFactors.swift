/// A merge of one module: rank components in a number of their own, B as PEFT stores it.
///
/// Stacks are many times an adapter's size, so they are formed once, in the order in which a file has them.
package struct StackedFactors: Sendable, Equatable {
    package let rank: Int
    package let inputs: Int
    package let outputs: Int
    /// (rank × inputs)
    package let a: [Float]
    /// (outputs × rank)
    package let b: [Float]
    /// (outputs)
    package let bias: [Float]?

    /// - Precondition: the arrays have the lengths that the sizes give.
    package init(rank: Int, inputs: Int, outputs: Int, a: [Float], b: [Float], bias: [Float]? = nil) {
        precondition(a.count == rank * inputs && b.count == rank * outputs, "a stack of another size than its shape")
        precondition(bias.map { $0.count == outputs } ?? true, "a bias of another size than its shape")
        self.rank = rank
        self.inputs = inputs
        self.outputs = outputs
        self.a = a
        self.b = b
        self.bias = bias
    }

    package init(_ factors: ModuleFactors) {
        self.init(
            rank: factors.rank, inputs: factors.inputs, outputs: factors.outputs, a: factors.a,
            b: factors.outputMajorB(), bias: factors.bias)
    }

    /// The same by rank component.
    package var factors: ModuleFactors {
        ModuleFactors(rank: rank, inputs: inputs, outputs: outputs, a: a, outputMajorB: b, bias: bias)
    }
}
