package import AdapterFormat
package import LinearAlgebra

/// The exact sums of one module over some clients: Σ w·x of its factors' rows, and Σ w of every row.
package struct PartialModule: Sendable, Equatable {
    /// (rank × inputs); nil where clients do not train A.
    package var a: FixedPointPlanes?
    /// (rank × outputs), of terms times s_k/s_R; nil where clients do not train B, or it is still output-major.
    package var b: FixedPointPlanes?
    /// (outputs × rank), as clients' files have it.
    var outputMajorB: FixedPointPlanes?
    /// (outputs)
    package var bias: FixedPointPlanes?
    /// Σ w of the clients whose rank reaches the row (rank), so row 0 has all clients that hold the module.
    package var weights: FixedPointPlanes

    /// No client.
    package init(zeroOf shape: ModuleShape, factors: FactorSet) {
        let rank = shape.maximumRank
        a = factors.contains(.a) ? FixedPointPlanes(zeros: rank * shape.inputs) : nil
        b = factors.contains(.b) ? FixedPointPlanes(zeros: rank * shape.outputs) : nil
        bias = factors.contains(.b) && shape.hasBias ? FixedPointPlanes(zeros: shape.outputs) : nil
        weights = FixedPointPlanes(zeros: rank)
    }

    /// Adds the clients of a round up; a client of weight zero adds nothing and is not read.
    ///
    /// - Throws: `range` where a term is not below the limit.
    init(_ module: ModuleRound, factors: FactorSet, termLimit: Double) throws(AggregationError) {
        let shape = module.shape
        let rank = shape.maximumRank
        let sum = ExactSum(limit: termLimit)
        var reached = [FixedPoint](repeating: .zero, count: rank)
        var held: [(member: ModuleRound.Member, weight: FixedPoint)] = []
        for member in module.members {
            let weight = try sum.weight(member.weight, of: member.client)
            if weight != .zero { held.append((member, weight)) }
            for row in 0..<min(member.module.rank, rank) {
                guard let next = reached[row].adding(weight) else {
                    throw sum.refusal(of: member.client, tensor: nil, value: member.weight)
                }
                reached[row] = next
            }
        }
        weights = FixedPointPlanes(reached)
        a = nil
        outputMajorB = nil
        bias = nil
        let members = held.map(\.member)
        if factors.contains(.a) {
            a = try sum.of(
                members.compactMap { member in
                    member.module.a.map {
                        .init(
                            client: member.client, tensor: $0, rows: member.module.rank, columns: shape.inputs,
                            factor: member.weight)
                    }
                }, rows: rank, columns: shape.inputs)
        }
        guard factors.contains(.b) else { return }
        outputMajorB = try sum.of(
            members.compactMap { member in
                member.module.b.map {
                    .init(
                        client: member.client, tensor: $0, rows: shape.outputs, columns: member.module.rank,
                        factor: member.weight * (member.scale / module.scale))
                }
            }, rows: shape.outputs, columns: rank)
        guard shape.hasBias else { return }
        bias = try sum.of(
            members.compactMap { member in
                member.module.bias.map {
                    .init(
                        client: member.client, tensor: $0, rows: 1, columns: shape.outputs,
                        factor: member.weight * (member.scale / module.scale))
                }
            }, rows: 1, columns: shape.outputs)
    }

    /// Whether any client of any weight holds the module.
    package var isHeld: Bool { weights.count > 0 && weights[0] != .zero }

    /// B by rank component, as partial sums are written.
    package mutating func transposeB() {
        guard let stored = outputMajorB else { return }
        b = stored.transposed(rows: stored.count / weights.count, columns: weights.count)
        outputMajorB = nil
    }
}

extension PartialModule {
    /// What the sums of every row are divided by; nil for a row that no client of any weight covers.
    func divisors(_ coverage: Coverage) -> [ExactDivisor?] {
        switch coverage {
        case .padded: [ExactDivisor?](repeating: ExactDivisor(weights[0]), count: weights.count)
        case .reached: (0..<weights.count).map { ExactDivisor(weights[$0]) }
        }
    }

    /// The means of (rank × columns).
    func meansOfRows(_ sums: FixedPointPlanes, by divisors: [ExactDivisor?]) -> [Float] {
        sums.quotients(rows: divisors.count, ofRows: divisors)
    }

    /// The means of (rows × rank).
    func meansOfColumns(_ sums: FixedPointPlanes, by divisors: [ExactDivisor?]) -> [Float] {
        sums.quotients(ofColumns: divisors)
    }

    /// The mean of the biases; nil where no client of any weight holds the module.
    func meanBias() -> [Float]? {
        guard isHeld else { return nil }
        return bias.map { $0.quotients(rows: 1, ofRows: [ExactDivisor(weights[0])]) }
    }
}
