import AdapterFormat
import LinearAlgebra

/// The first stage of `slora` (arXiv 2308.06522): trains full weights under one common sparse mask. Only the kept
/// values are sent.
struct SparseStart: Sendable {
    /// R₁
    let rounds: Int
    let density: Double

    /// Whether a round belongs to the stage. The stage ends with the first published round from R₁ on. If R₁ fails, a
    /// later round takes its place, because rounds after the stage need factors to continue from.
    ///
    /// - Parameter last: the last round published before it; 0 for version 0.
    func covers(roundAfter last: Int) -> Bool { last < rounds }

    /// The largest matrix for a mask; drawing takes time linear in the matrix.
    static let largestMatrix = 1 << 31

    static func takes(_ module: ModuleShape) -> Bool {
        let (product, overflow) = module.inputs.multipliedReportingOverflow(by: module.outputs)
        return !overflow && product <= largestMatrix
    }

    /// The federation's dense tensors, and the kept changes of every module's weights.
    func shape(of shape: AdapterShape) -> AdapterShape {
        shape.withoutModules(adding: shape.modules.map { Self.tensor(of: $0, density: density) })
    }

    static func tensor(of module: ModuleShape, density: Double) -> AdapterShape.Dense {
        AdapterShape.Dense(
            name: module.name + ".sparse_delta",
            shape: [SparseMask.count(outputs: module.outputs, inputs: module.inputs, density: density)],
            initial: .zeros)
    }
}

/// The kept values of W − W₀ of one module; an SVD turns them into factors.
struct SparseChange {
    let module: ModuleShape
    /// In ascending flat index of W (outputs × inputs).
    let values: [Float]
    let seed: UInt64
    let density: Double

    /// A = Vᵀ, B = U·Σ / s at the module's maximum rank; components that the change cannot fill are drawn.
    func factors(scale: Double, seed: UInt64) throws -> ModuleFactors {
        var (factors, filled) = try product(rank: module.maximumRank)
        let unit = Float(1 / scale)
        for index in factors.b.indices { factors.b[index] *= unit }
        if filled < module.maximumRank {
            let fresh = InitialAdapter(seed: seed).draw(module, rank: module.maximumRank)
            factors.a.replaceSubrange((filled * factors.inputs)..., with: fresh.a[(filled * factors.inputs)...])
        }
        return factors
    }

    /// The best approximation of rank `rank` at scale 1.
    ///
    /// The stack has one component for every row or every column of W with a kept value, whichever are fewer.
    func product(rank: Int) throws -> (factors: ModuleFactors, filled: Int) {
        let indices = SparseMask(
            seed: seed, module: module.name, outputs: module.outputs, inputs: module.inputs, density: density
        ).indices
        let byRow = module.outputs <= module.inputs
        let lines = Set(indices.map { byRow ? $0 / module.inputs : $0 % module.inputs }).sorted()
        let places = Dictionary(uniqueKeysWithValues: lines.enumerated().map { ($1, $0) })
        var stack = ModuleFactors(
            rank: lines.count, inputs: module.inputs, outputs: module.outputs,
            a: [Float](repeating: 0, count: lines.count * module.inputs),
            b: [Float](repeating: 0, count: lines.count * module.outputs))
        for (place, line) in lines.enumerated() {
            if byRow { stack.b[place * module.outputs + line] = 1 } else { stack.a[place * module.inputs + line] = 1 }
        }
        for (index, value) in zip(indices, values) {
            let (row, column) = (index / module.inputs, index % module.inputs)
            guard let place = places[byRow ? row : column] else { continue }
            if byRow {
                stack.a[place * module.inputs + column] = value
            } else {
                stack.b[place * module.outputs + row] = value
            }
        }
        var sum = ComponentSum(shape: module)
        sum.add(stack, times: [Double](repeating: 1, count: stack.rank))
        return try sum.truncated(toRank: rank, bias: module.hasBias ? module.noBias : nil)
    }
}
