import AdapterFormat
import LinearAlgebra

/// A product kept as one tall stack of scaled rank components: P = Σ_i left_i ⊗ right_i.
struct ComponentSum {
    private let shape: ModuleShape
    private var left: [Float] = []
    private var right: [Float] = []
    private(set) var rank = 0

    /// - Parameter capacity: the components that will be added.
    init(shape: ModuleShape, capacity: Int) {
        self.shape = shape
        left.reserveCapacity(capacity * shape.outputs)
        right.reserveCapacity(capacity * shape.inputs)
    }

    /// Adds `factors`, component i times `coefficients[i]`; components without a coefficient are left out.
    mutating func add(_ factors: ModuleFactors, times coefficients: [Double]) {
        for (component, coefficient) in coefficients.prefix(factors.rank).enumerated() where coefficient != 0 {
            let factor = Float(coefficient)
            let column = component * shape.outputs
            left.append(contentsOf: factors.b[column..<column + shape.outputs].lazy.map { $0 * factor })
            let row = component * shape.inputs
            right.append(contentsOf: factors.a[row..<row + shape.inputs])
            rank += 1
        }
    }

    /// Σ_k Σ_i c_ki·s_k·b_ki·a_ki of a round.
    init(_ module: ModuleRound, _ coverage: Coverage, extra: Int = 0) {
        let coefficients = module.coefficients(coverage).ofClients
        self.init(shape: module.shape, capacity: Self.rank(of: coefficients) + extra)
        for (member, c) in zip(module.members, coefficients) where c.contains(where: { $0 != 0 }) {
            guard let factors = ModuleFactors(member.module) else { continue }
            add(factors, times: c.map { $0 * member.scale })
        }
    }

    /// How many components a round's sum has.
    static func rank(of coefficients: [[Double]]) -> Int {
        coefficients.reduce(0) { $0 + $1.count { $0 != 0 } }
    }

    /// The whole stack at scale 1; nil where it is empty.
    func factors(bias: [Float]? = nil) -> ModuleFactors? {
        guard rank > 0 else { return nil }
        return ModuleFactors(
            rank: rank, inputs: shape.inputs, outputs: shape.outputs, a: right, b: left, bias: bias)
    }

    /// The best approximation of rank `rank` at scale 1, with how many of its components the product fills.
    func truncated(toRank rank: Int, bias: [Float]? = nil) throws -> (factors: ModuleFactors, filled: Int) {
        guard self.rank > 0 else {
            var zero = ModuleFactors(zeroOf: shape, rank: rank)
            zero.bias = bias
            return (zero, 0)
        }
        return try withStack { stack in
            let product = try stack.truncated(toRank: rank)
            let factors = ModuleFactors(
                rank: rank, inputs: shape.inputs, outputs: shape.outputs, a: product.right, b: product.left, bias: bias)
            return (factors, product.filled)
        }
    }

    /// Lends the stack to a kernel.
    ///
    /// - Precondition: it has a component.
    func withStack<Result>(_ body: (ComponentStack) throws -> Result) rethrows -> Result {
        try left.withUnsafeBufferPointer { left in
            try right.withUnsafeBufferPointer { right in
                try body(
                    ComponentStack(
                        left: MatrixView(left, rows: rank, columns: shape.outputs),
                        right: MatrixView(right, rows: rank, columns: shape.inputs)))
            }
        }
    }
}
