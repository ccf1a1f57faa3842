import AdapterFormat
import LinearAlgebra

/// A product kept as one tall stack of scaled rank components: P = Σ_i left_i ⊗ right_i.
///
/// Terms are read when the stack is formed, once each; no dense outputs × inputs matrix is.
struct ComponentSum {
    /// The first components of one adapter, each with its factor.
    private struct Term {
        enum Source {
            case file(AdapterFile.Module)
            case memory(ModuleFactors)
        }

        let source: Source
        let coefficients: [Float]
    }

    private let shape: ModuleShape
    private var terms: [Term] = []
    private(set) var rank = 0

    init(shape: ModuleShape) { self.shape = shape }

    /// Σ_k Σ_i c_ki·s_k·b_ki·a_ki of a round; clients of weight zero are not read.
    init(_ module: ModuleRound, _ coverage: Coverage) {
        self.init(shape: module.shape)
        for (member, c) in zip(module.members, module.coefficients(coverage).ofClients) {
            add(.file(member.module), c.map { $0 * member.scale })
        }
    }

    /// Adds the components of `factors` up to the first whose coefficient is zero.
    mutating func add(_ factors: ModuleFactors, times coefficients: [Double]) {
        add(.memory(factors), Array(coefficients.prefix(factors.rank)))
    }

    private mutating func add(_ source: Term.Source, _ coefficients: [Double]) {
        let counted = coefficients.prefix { $0 != 0 }.map { Float($0) }
        guard !counted.isEmpty else { return }
        var source = source
        // Weights so small that they vanish for some components only.
        if case .file(let module) = source, module.rank != counted.count {
            guard let factors = ModuleFactors(module) else { return }
            source = .memory(factors)
        }
        terms.append(Term(source: source, coefficients: counted))
        rank += counted.count
    }

    /// How many components a round's sum has.
    static func rank(of coefficients: [[Double]]) -> Int {
        coefficients.reduce(0) { $0 + $1.prefix { $0 != 0 }.count }
    }

    /// The whole stack at scale 1; nil where it is empty.
    func stacked(bias: [Float]? = nil) -> StackedFactors? {
        guard rank > 0 else { return nil }
        return StackedFactors(
            rank: rank, inputs: shape.inputs, outputs: shape.outputs, a: right(), b: left(), bias: bias)
    }

    /// The best approximation of rank `rank` at scale 1, with how many of its components the product fills.
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

    /// Lends the stack by components to a kernel.
    ///
    /// - Precondition: it has a component.
    func withStack<Result>(_ body: (ComponentStack) throws -> Result) rethrows -> Result {
        let factors = ModuleFactors(
            rank: rank, inputs: shape.inputs, outputs: shape.outputs, a: right(), outputMajorB: left())
        return try factors.b.withUnsafeBufferPointer { left in
            try factors.a.withUnsafeBufferPointer { right in
                try body(
                    ComponentStack(
                        left: MatrixView(left, rows: rank, columns: shape.outputs),
                        right: MatrixView(right, rows: rank, columns: shape.inputs)))
            }
        }
    }

    /// The rows of A, (rank × inputs).
    private func right() -> [Float] {
        let inputs = shape.inputs
        return [Float](unsafeUninitializedCapacity: rank * inputs) { target, count in
            for term in terms {
                let size = term.coefficients.count * inputs
                let part = UnsafeMutableBufferPointer(rebasing: target[count..<count + size])
                switch term.source {
                case .file(let module): module.a?.decode(into: part)
                case .memory(let factors): _ = part.initialize(from: factors.a[..<size])
                }
                count += size
            }
        }
    }

    /// The columns of B with their factors, (outputs × rank).
    private func left() -> [Float] {
        let (outputs, rank) = (shape.outputs, rank)
        return [Float](unsafeUninitializedCapacity: rank * outputs) { target, count in
            guard let base = target.baseAddress else { return }
            var column = 0
            for term in terms {
                let width = term.coefficients.count
                let values: [Float] =
                    switch term.source {
                    case .file(let module): module.b?.floats() ?? []
                    case .memory(let factors): factors.prefix(rank: width).outputMajorB()
                    }
                Self.scale(values, by: term.coefficients, to: base + column, stride: rank)
                column += width
            }
            count = rank * outputs
        }
    }

    /// Writes rows of `factors.count` numbers each, `stride` apart, every column times its factor.
    private static func scale(
        _ values: [Float], by factors: [Float], to target: UnsafeMutablePointer<Float>, stride: Int
    ) {
        let width = factors.count
        values.withUnsafeBufferPointer { values in
            factors.withUnsafeBufferPointer { factors in
                for row in 0..<(values.count / width) {
                    let source = UnsafeBufferPointer(rebasing: values[row * width..<(row + 1) * width])
                    let line = target + row * stride
                    for index in 0..<width { line[index] = source[index] * factors[index] }
                }
            }
        }
    }
}
