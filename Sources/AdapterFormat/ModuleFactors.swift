/// The factors of one module, stored by rank component: row i of A beside column i of B.
///
/// The first r components are a prefix of both arrays, so a cut to a lower rank is a prefix too. B is transposed only
/// when a caller asks for it by component; between files it stays as it is.
package struct ModuleFactors: Sendable, Equatable {
    package let rank: Int
    package let inputs: Int
    package let outputs: Int
    /// (rank × inputs)
    package var a: [Float]
    /// (outputs)
    package var bias: [Float]?
    private var storedB: [Float]
    /// Whether `storedB` is (outputs × rank).
    private var isOutputMajor: Bool

    /// - Precondition: the arrays have the lengths that the sizes give.
    package init(rank: Int, inputs: Int, outputs: Int, a: [Float], b: [Float], bias: [Float]? = nil) {
        precondition(a.count == rank * inputs && b.count == rank * outputs, "factors of another size than their shape")
        precondition(bias.map { $0.count == outputs } ?? true, "a bias of another size than its shape")
        self.rank = rank
        self.inputs = inputs
        self.outputs = outputs
        self.a = a
        self.bias = bias
        storedB = b
        isOutputMajor = false
    }

    /// All zero.
    package init(zeroOf shape: ModuleShape, rank: Int) {
        self.init(
            rank: rank, inputs: shape.inputs, outputs: shape.outputs,
            a: [Float](repeating: 0, count: rank * shape.inputs),
            b: [Float](repeating: 0, count: rank * shape.outputs),
            bias: shape.hasBias ? [Float](repeating: 0, count: shape.outputs) : nil)
    }

    /// Takes B as PEFT stores it, (outputs × rank).
    ///
    /// - Precondition: the arrays have the lengths that the sizes give.
    package init(rank: Int, inputs: Int, outputs: Int, a: [Float], outputMajorB: [Float], bias: [Float]? = nil) {
        self.init(rank: rank, inputs: inputs, outputs: outputs, a: a, b: outputMajorB, bias: bias)
        isOutputMajor = true
    }

    /// Decodes a module of a file; nil where a factor is missing.
    package init?(_ module: AdapterFile.Module) {
        guard let shape = module.shape, let a = module.a, let b = module.b else { return nil }
        self.init(
            rank: module.rank, inputs: shape.inputs, outputs: shape.outputs, a: a.floats(),
            outputMajorB: b.floats(), bias: module.bias?.floats())
    }

    /// (rank × outputs): B transposed. If B was given as PEFT stores it, each access transposes it until B is changed.
    package var b: [Float] {
        get { isOutputMajor ? Self.transpose(storedB, rows: outputs, columns: rank) : storedB }
        _modify {
            if isOutputMajor {
                storedB = Self.transpose(storedB, rows: outputs, columns: rank)
                isOutputMajor = false
            }
            yield &storedB
        }
    }

    /// Gives its arrays away for reuse; the value must not be used afterwards.
    package mutating func surrender() -> [[Float]] {
        var arrays: [[Float]] = [[], []]
        swap(&arrays[0], &a)
        swap(&arrays[1], &storedB)
        return arrays
    }

    package static func == (one: ModuleFactors, other: ModuleFactors) -> Bool {
        one.rank == other.rank && one.inputs == other.inputs && one.outputs == other.outputs && one.a == other.a
            && one.b == other.b && one.bias == other.bias
    }

    /// The first `rank` components.
    ///
    /// - Precondition: `rank` is at most this rank.
    package func prefix(rank: Int) -> ModuleFactors {
        guard rank < self.rank else { return self }
        return ModuleFactors(
            rank: rank, inputs: inputs, outputs: outputs, a: Array(a[..<(rank * inputs)]),
            b: Array(b[..<(rank * outputs)]), bias: bias)
    }

    /// B as PEFT stores it, (outputs × rank), every number multiplied by `scale`.
    package func outputMajorB(scaledBy scale: Float = 1) -> [Float] {
        var b = isOutputMajor ? storedB : Self.transpose(storedB, rows: rank, columns: outputs)
        if scale != 1 {
            for index in b.indices { b[index] *= scale }
        }
        return b
    }

    /// Transposes (rows × columns) in square tiles, so that source and target stay in the cache.
    private static func transpose(_ source: [Float], rows: Int, columns: Int) -> [Float] {
        let tile = 32
        return [Float](unsafeUninitializedCapacity: source.count) { target, count in
            source.withUnsafeBufferPointer { source in
                for firstRow in stride(from: 0, to: rows, by: tile) {
                    let lastRow = min(firstRow + tile, rows)
                    for firstColumn in stride(from: 0, to: columns, by: tile) {
                        for column in firstColumn..<min(firstColumn + tile, columns) {
                            for row in firstRow..<lastRow {
                                target[column * rows + row] = source[row * columns + column]
                            }
                        }
                    }
                }
            }
            count = source.count
        }
    }
}
