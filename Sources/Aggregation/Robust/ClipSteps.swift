import AdapterFormat
import LinearAlgebra

/// The lengths of all updates' steps from the last adapter: ‖a_ki − a_i, (s_k/s_R)·b_ki − b_i, x_k − x‖ on what each holds.
///
/// One pass over the updates. A factor that is not trained has no step, and neither has a tensor without an earlier value.
struct ClipSteps {
    let shape: AdapterShape
    let scaling: Scaling
    /// The factors that the clients trained.
    let factors: FactorSet
    let threads: Int

    /// The numbers of one update that are in memory at a time, for one thread.
    private static let numbersInHand = 65_536

    func norms(of members: [Cohort.Member], after earlier: EarlierAdapter) throws -> [Double] {
        var squares = [Double](repeating: 0, count: members.count)
        try orderedPipeline(
            count: shape.modules.count, threads: threads,
            prepare: { try earlier.factors(of: shape.modules[$0]) },
            work: { index, earlier in
                let module = shape.modules[index]
                // As the files have it; transposed once for all clients.
                let b = factors.contains(.b) ? earlier?.outputMajorB() : nil
                return members.map { member in
                    member.file.module(at: index).map {
                        square(of: $0, module, scale: member.scale(of: $0, module, scaling), earlier, b)
                    } ?? 0
                }
            },
            consume: { _, module in
                for (client, square) in module.enumerated() { squares[client] += square }
            })
        for (position, tensor) in shape.dense.enumerated() {
            guard let values = try earlier.values(of: tensor) else { continue }
            try orderedPipeline(
                count: members.count, threads: threads, prepare: { members[$0].file.dense(at: position) },
                work: { _, held in
                    guard let held else { return 0.0 }
                    var steps = SquaredSteps()
                    add(held, minus: values, scale: 1, to: &steps)
                    return steps.total
                },
                consume: { squares[$0] += $1 })
        }
        return squares.map { $0.squareRoot() }
    }

    private func square(
        of module: AdapterFile.Module, _ shape: ModuleShape, scale: Double, _ earlier: ModuleFactors?,
        _ earlierB: [Float]?
    ) -> Double {
        var steps = SquaredSteps()
        let ratio = scale / scaling.of(shape).scale(atRank: shape.maximumRank)
        if factors.contains(.a), let a = module.a { add(a, minus: earlier?.a, scale: 1, to: &steps) }
        guard factors.contains(.b) else { return steps.total }
        if let b = module.b { add(rowsOf: b, module.rank, minus: earlierB, earlier?.rank ?? 0, ratio, to: &steps) }
        if let bias = module.bias { add(bias, minus: earlier?.bias, scale: ratio, to: &steps) }
        return steps.total
    }

    /// Adds numbers that lie in both as one run; what the earlier value lacks counts as zero.
    private func add(_ tensor: TensorView, minus earlier: [Float]?, scale: Double, to steps: inout SquaredSteps) {
        let earlier = earlier ?? []
        let known = min(earlier.count, tensor.elementCount)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: Self.numbersInHand) { buffer in
            earlier.withUnsafeBufferPointer { earlier in
                for (part, isKnown) in [(0..<known, true), (known..<tensor.elementCount, false)] {
                    for first in stride(from: part.lowerBound, to: part.upperBound, by: Self.numbersInHand) {
                        let elements = first..<min(first + Self.numbersInHand, part.upperBound)
                        let values = UnsafeMutableBufferPointer(rebasing: buffer[..<elements.count])
                        tensor.decode(elements: elements, into: values)
                        steps.add(
                            UnsafeBufferPointer(values), minus: isKnown ? .init(rebasing: earlier[elements]) : nil,
                            stride: elements.count, columns: elements.count, scale: scale)
                    }
                }
            }
        }
    }

    /// Adds B (outputs × rank), whose rows are shorter than those of the earlier (outputs × R).
    private func add(
        rowsOf b: TensorView, _ rank: Int, minus earlier: [Float]?, _ earlierRank: Int, _ scale: Double,
        to steps: inout SquaredSteps
    ) {
        let outputs = b.elementCount / rank
        let step = max(1, Self.numbersInHand / rank)
        // The earlier adapter has a lower rank only where the federation's is new; the rest counts as zero.
        let earlier =
            earlierRank >= rank
            ? earlier : earlierRank == 0 ? nil : earlier.map { Self.padded($0, from: earlierRank, to: rank) }
        let width = max(earlierRank, rank)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: min(step, outputs) * rank) { buffer in
            for first in stride(from: 0, to: outputs, by: step) {
                let rows = first..<min(first + step, outputs)
                let values = UnsafeMutableBufferPointer(rebasing: buffer[..<(rows.count * rank)])
                b.decode(rows: rows, into: values)
                if let earlier {
                    earlier.withUnsafeBufferPointer {
                        steps.add(
                            UnsafeBufferPointer(values),
                            minus: .init(rebasing: $0[rows.lowerBound * width..<rows.upperBound * width]),
                            stride: width,
                            columns: rank, scale: scale)
                    }
                } else {
                    steps.add(UnsafeBufferPointer(values), minus: nil, stride: rank, columns: rank, scale: scale)
                }
            }
        }
    }

    /// (rows × width) with zeros behind each row of `count` numbers.
    private static func padded(_ values: [Float], from count: Int, to width: Int) -> [Float] {
        var padded: [Float] = []
        for start in stride(from: 0, to: values.count, by: count) {
            padded += values[start..<start + count]
            padded += [Float](repeating: 0, count: width - count)
        }
        return padded
    }
}

/// How much of each update's step counts.
struct ClipShares {
    /// The longest step that counts whole.
    let norm: Double
    /// λ_k = min(1, norm / ‖step‖).
    let shares: [Double]

    /// - Parameter norm: nil for the median of the steps' norms.
    init(steps: [Double], norm: Double?) {
        let norm = norm ?? steps.median
        self.norm = norm
        shares = steps.map { $0 > norm ? norm / $0 : 1 }
    }

    /// What the round says.
    var note: String {
        "clip: \(shares.count { $0 < 1 }) of \(shares.count) updates were shortened to a step of norm \(norm)"
    }
}

extension [Double] {
    /// The middle value, or the mean of the middle two; 0 where there is none.
    var median: Double {
        guard !isEmpty else { return 0 }
        let ordered = sorted()
        return (ordered[(count - 1) / 2] + ordered[count / 2]) / 2
    }
}
