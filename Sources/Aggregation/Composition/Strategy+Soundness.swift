package import AdapterFormat

/// What a federation's round policy and limits need from its strategy.
extension Strategy {
    /// The norm of an update: the Frobenius norm of s·B·A of every module, of the biases, and of the tensors beside the
    /// factors, taken together. Saturates at the largest finite Double.
    ///
    /// Uses Gram matrices, in O(r²·(inputs + outputs)) for each module. For a factor that the client did not send, it
    /// uses the server's copy.
    ///
    /// - Parameters:
    ///   - update: validated.
    ///   - shape: the federation's, at the maximum ranks.
    package func norm(
        of update: AdapterFile, shape: AdapterShape, scaling: Scaling, round: Int, after earlier: EarlierRound
    ) throws -> Double {
        let sent = updateShape(of: shape, round: round, after: earlier.round)
        let norms = UpdateNorms(
            shape: sent, scaling: scaling, factors: demand(in: round).factors, threads: 1)
        let member = Cohort.Member(
            contribution: Contribution(client: "", adapter: update, samples: 1), file: AdapterIndex(update, of: sent))
        let product = try norms.norms(
            of: [member], after: EarlierAdapter(previous: earlier.previous, initial: earlier.initial))[0]
        var sum = product * product
        for module in update.modules {
            if let bias = module.bias { sum += Self.square(of: bias) }
        }
        for tensor in update.dense { sum += Self.square(of: tensor.values) }
        let norm = sum.squareRoot()
        return norm.isFinite ? norm : .greatestFiniteMagnitude
    }

    private static func square(of tensor: TensorView) -> Double {
        tensor.floats().reduce(0) { $0 + Double($1) * Double($1) }
    }

    /// Why updates of different rounds cannot be aggregated together; nil where they can.
    package var objectionToBuffer: String? {
        if publishesMerge { return "\(name) merges into the base, which all clients must have alike" }
        if let objectionToCoverage { return objectionToCoverage }
        if let robust { return "\(robust.name) compares the updates of one round, which have one start" }
        let first = demand(in: 1)
        if first.isFresh || first.factors != .both || demand(in: 2).factors != .both {
            return "\(name) fixes a factor, which differs between rounds or is not sent"
        }
        return nil
    }

    /// Why the clients' ranks do not determine how well a round covers its components; nil where they do.
    package var objectionToCoverage: String? { keepsShape ? nil : "\(name) changes the adapter's shape between rounds" }
}
