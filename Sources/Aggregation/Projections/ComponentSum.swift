import AdapterFormat
import LinearAlgebra

/// A product stored as one stack of scaled rank components: P = Σ_i left_i ⊗ right_i.
///
/// Its numbers are read once, when it is written or decomposed. No dense (outputs × inputs) matrix is formed.
struct ComponentSum {
    private let shape: ModuleShape
    private var stack: StackedFactors

    var rank: Int { stack.rank }

    init(shape: ModuleShape) {
        self.shape = shape
        stack = StackedFactors(inputs: shape.inputs, outputs: shape.outputs)
    }

    /// Σ_k Σ_i c_ki·s_k·b_ki·a_ki of a round; clients of weight zero are not read.
    init(_ module: ModuleRound, _ coverage: Coverage) {
        self.init(shape: module.shape)
        for (member, c) in zip(module.members, module.coefficients(coverage).ofClients) {
            let scales = Self.counted(c.map { $0 * member.scale })
            if scales.count == member.module.rank {
                stack.append(member.module, scales: scales)
            } else if !scales.isEmpty, let factors = ModuleFactors(member.module) {
                // Tiny weights may vanish in Float for some components only.
                stack.append(factors, scales: scales)
            }
        }
    }

    /// Adds the components of `factors` up to the first whose coefficient is zero.
    mutating func add(_ factors: ModuleFactors, times coefficients: [Double]) {
        let scales = Self.counted(Array(coefficients.prefix(factors.rank)))
        if !scales.isEmpty { stack.append(factors, scales: scales) }
    }

    private static func counted(_ coefficients: [Double]) -> [Float] {
        coefficients.prefix { $0 != 0 }.map { Float($0) }
    }

    /// The number of components in a round's sum.
    static func rank(of coefficients: [[Double]]) -> Int {
        coefficients.reduce(0) { $0 + $1.prefix { $0 != 0 }.count }
    }

    /// The whole stack at scale 1; nil where it is empty.
    func stacked(bias: [Float]? = nil) -> StackedFactors? {
        guard rank > 0 else { return nil }
        var stack = stack
        stack.bias = bias
        return stack
    }

    /// The best approximation of rank `rank` at scale 1, and the number of components that the product fills.
    func truncated(toRank rank: Int, bias: [Float]? = nil) throws -> (factors: ModuleFactors, filled: Int) {
        guard self.rank > 0 else {
            var zero = ModuleFactors(zeroOf: shape, rank: rank)
            zero.bias = bias
            return (zero, 0)
        }
        let product = try withStack { try $0.truncated(toRank: rank) }
        let factors = ModuleFactors(
            rank: rank, inputs: shape.inputs, outputs: shape.outputs, a: product.right, b: product.left, bias: bias)
        return (factors, product.filled)
    }

    /// Lends the stack as components to a kernel.
    ///
    /// - Precondition: it has at least one component.
    func withStack<Result>(_ body: (ComponentStack) throws -> Result) rethrows -> Result {
        let factors = stack.factors
        return try factors.b.withUnsafeBufferPointer { left in
            try factors.a.withUnsafeBufferPointer { right in
                try body(
                    ComponentStack(
                        left: MatrixView(left, rows: rank, columns: shape.outputs),
                        right: MatrixView(right, rows: rank, columns: shape.inputs)))
            }
        }
    }
}
