import AdapterFormat
import LinearAlgebra

/// One module of several merges. They are summed when the result is written.
struct ModuleSum {
    enum Refusal: Error, Equatable {
        case missingFactor(module: String)
        case tooLarge(module: String)
        case differs(module: String, expected: String, found: String)
    }

    let name: String
    private var parts: [AdapterFile.Module] = []
    /// The shape, at the rank of the whole stack.
    private var shape: ModuleShape?

    init(name: String) { self.name = name }

    mutating func add(_ part: AdapterFile.Module) throws(Refusal) {
        guard let found = part.shape else { throw .missingFactor(module: name) }
        // OpenBLAS uses 32-bit sizes.
        guard max(found.inputs, found.outputs) <= Int(Int32.max) else { throw .tooLarge(module: name) }
        if let shape, (shape.inputs, shape.outputs) != (found.inputs, found.outputs) || shape.kind != found.kind {
            throw .differs(module: name, expected: Self.summary(shape), found: Self.summary(found))
        }
        let (rank, overflow) = found.maximumRank.addingReportingOverflow(shape?.maximumRank ?? 0)
        guard !overflow, rank <= Int(Int32.max) else { throw .tooLarge(module: name) }
        shape = ModuleShape(
            name: name, kind: found.kind, inputs: found.inputs, outputs: found.outputs, maximumRank: rank,
            hasBias: found.hasBias || shape?.hasBias ?? false)
        parts.append(part)
    }

    /// The tensors of the sum in its file.
    var tensors: [SafetensorsLayout.Tensor] {
        guard let shape else { return [] }
        let rank = Self.rank(of: shape)
        let bias = SafetensorsLayout.Tensor(name: shape.nameOfBias.peft, type: .f32, shape: [shape.outputs])
        return [
            SafetensorsLayout.Tensor(name: shape.nameOfA.peft, type: .f32, shape: shape.shapeOfA(rank: rank)),
            SafetensorsLayout.Tensor(name: shape.nameOfB.peft, type: .f32, shape: shape.shapeOfB(rank: rank)),
        ] + (shape.hasBias ? [bias] : [])
    }

    func write(to file: inout SafetensorsWriter) throws {
        guard let shape else { return }
        let factors = try sum(of: shape)
        try file.write(factors.a, to: shape.nameOfA.peft)
        try file.write(factors.outputMajorB(), to: shape.nameOfB.peft)
        if let bias = factors.bias { try file.write(bias, to: shape.nameOfBias.peft) }
    }

    private func sum(of shape: ModuleShape) throws(DecompositionError) -> ModuleFactors {
        var (a, b): ([Float], [Float]) = ([], [])
        var bias = shape.hasBias ? [Float](repeating: 0, count: shape.outputs) : nil
        for part in parts {
            guard let factors = ModuleFactors(part) else { continue }
            a.append(contentsOf: factors.a)
            b.append(contentsOf: factors.b)
            for (index, value) in (factors.bias ?? []).enumerated() { bias?[index] += value }
        }
        let rank = Self.rank(of: shape)
        if rank < shape.maximumRank {
            let product = try a.withUnsafeBufferPointer { a throws(DecompositionError) in
                try b.withUnsafeBufferPointer { b throws(DecompositionError) in
                    try ComponentStack(
                        left: MatrixView(b, rows: shape.maximumRank, columns: shape.outputs),
                        right: MatrixView(a, rows: shape.maximumRank, columns: shape.inputs)
                    ).truncated(toRank: rank)
                }
            }
            (a, b) = (product.right, product.left)
        }
        return ModuleFactors(rank: rank, inputs: shape.inputs, outputs: shape.outputs, a: a, b: b, bias: bias)
    }

    /// A product's rank does not exceed its smaller dimension.
    private static func rank(of shape: ModuleShape) -> Int {
        min(shape.maximumRank, shape.inputs, shape.outputs)
    }

    private static func summary(_ shape: ModuleShape) -> String {
        "\(shape.kind) from \(shape.inputs) to \(shape.outputs)"
    }
}

extension ModuleSum.Refusal: CustomStringConvertible {
    var description: String {
        switch self {
        case .missingFactor(let module): "\(module) lacks a factor"
        case .tooLarge(let module): "\(module) is too large to add up"
        case .differs(let module, let expected, let found): "\(module) is \(found); the merges before have \(expected)"
        }
    }
}
