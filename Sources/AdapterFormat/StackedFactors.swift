/// A product of one module as a stack of rank components from many adapters, with B as PEFT stores it.
///
/// Stacks are many times an adapter's size. So their numbers stay in files or in memory, and callers read them in
/// blocks of rows.
package struct StackedFactors: Sendable {
    /// The components of one adapter.
    fileprivate struct Part: Sendable {
        enum Source: Sendable {
            case file(a: TensorView, b: TensorView)
            /// (rank × inputs) and (outputs × rank).
            case memory(a: [Float], b: [Float])
        }

        let source: Source
        /// The factors of the components' columns of B.
        let scales: [Float]
        let firstComponent: Int
        var components: Range<Int> { firstComponent..<firstComponent + scales.count }
    }

    package let inputs: Int
    package let outputs: Int
    package private(set) var rank = 0
    /// (outputs)
    package var bias: [Float]?
    private var parts: [Part] = []

    /// An empty stack.
    package init(inputs: Int, outputs: Int) {
        self.inputs = inputs
        self.outputs = outputs
    }

    /// Adds all components of a file's module; has no effect where it lacks a factor.
    ///
    /// - Precondition: the module has these inputs and outputs, and as many components as there are scales.
    package mutating func append(_ module: AdapterFile.Module, scales: [Float]) {
        guard let a = module.a, let b = module.b else { return }
        precondition(
            a.elementCount == scales.count * inputs && b.elementCount == scales.count * outputs,
            "a module of another size than its stack")
        append(.file(a: a, b: b), scales)
    }

    /// Adds the first components of an adapter.
    ///
    /// - Precondition: the factors have these inputs and outputs, and at least as many components as there are scales.
    package mutating func append(_ factors: ModuleFactors, scales: [Float]) {
        precondition(factors.inputs == inputs && factors.outputs == outputs, "factors of another size than their stack")
        let first = factors.prefix(rank: scales.count)
        append(.memory(a: first.a, b: first.outputMajorB()), scales)
    }

    private mutating func append(_ source: Part.Source, _ scales: [Float]) {
        parts.append(Part(source: source, scales: scales, firstComponent: rank))
        rank += scales.count
    }

    /// The same product by rank component, in memory.
    package var factors: ModuleFactors {
        let a = [Float](unsafeUninitializedCapacity: rank * inputs) { target, count in
            fillA(rows: 0..<rank, UnsafeMutableBufferPointer(rebasing: target[..<(rank * inputs)]))
            count = rank * inputs
        }
        let b = [Float](unsafeUninitializedCapacity: rank * outputs) { target, count in
            fillB(rows: 0..<outputs, UnsafeMutableBufferPointer(rebasing: target[..<(rank * outputs)]))
            count = rank * outputs
        }
        return ModuleFactors(rank: rank, inputs: inputs, outputs: outputs, a: a, outputMajorB: b, bias: bias)
    }

    /// Writes rows of A to memory that need not be initialized.
    ///
    /// - Precondition: `target` holds exactly these rows of (rank × inputs).
    package func fillA(rows: Range<Int>, _ target: UnsafeMutableBufferPointer<Float>) {
        precondition(target.count == rows.count * inputs, "rows of A in another size than their own")
        for part in parts {
            let shared = part.components.clamped(to: rows)
            guard !shared.isEmpty else { continue }
            let start = (shared.lowerBound - rows.lowerBound) * inputs
            let place = UnsafeMutableBufferPointer(rebasing: target[start..<start + shared.count * inputs])
            let first = shared.lowerBound - part.firstComponent
            switch part.source {
            case .file(let a, _): a.decode(rows: first..<first + shared.count, into: place)
            case .memory(let a, _):
                _ = place.initialize(from: a[first * inputs..<(first + shared.count) * inputs])
            }
        }
    }

    /// Writes rows of B, every column times its scale, to memory that need not be initialized.
    ///
    /// - Precondition: `target` holds exactly these rows of (outputs × rank).
    package func fillB(rows: Range<Int>, _ target: UnsafeMutableBufferPointer<Float>) {
        precondition(target.count == rows.count * rank, "rows of B in another size than their own")
        guard let base = target.baseAddress else { return }
        let widest = parts.map(\.scales.count).max() ?? 0
        withUnsafeTemporaryAllocation(of: Float.self, capacity: rows.count * widest) { buffer in
            for part in parts {
                let width = part.scales.count
                switch part.source {
                case .file(_, let b):
                    let decoded = UnsafeMutableBufferPointer(rebasing: buffer[..<(rows.count * width)])
                    b.decode(rows: rows, into: decoded)
                    part.scale(UnsafeBufferPointer(decoded), to: base + part.firstComponent, stride: rank)
                case .memory(_, let b):
                    b[rows.lowerBound * width..<rows.upperBound * width].withUnsafeBufferPointer {
                        part.scale($0, to: base + part.firstComponent, stride: rank)
                    }
                }
            }
        }
    }
}

extension StackedFactors.Part {
    /// Writes rows of as many numbers as there are scales, `stride` apart, each column multiplied by its scale.
    fileprivate func scale(
        _ values: UnsafeBufferPointer<Float>, to target: UnsafeMutablePointer<Float>, stride: Int
    ) {
        let width = scales.count
        scales.withUnsafeBufferPointer { scales in
            guard let source = values.baseAddress, let scales = scales.baseAddress else { return }
            for row in 0..<(values.count / width) {
                let (from, to) = (source + row * width, target + row * stride)
                for index in 0..<width { to[index] = from[index] * scales[index] }
            }
        }
    }
}
