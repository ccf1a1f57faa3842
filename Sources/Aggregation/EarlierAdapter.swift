import AdapterFormat

/// The adapter before a round: the last published one and, for what it lacks, version 0.
///
/// Use it only on the aggregating thread: sources may be bound to it.
struct EarlierAdapter {
    let previous: (any AdapterSource)?
    let initial: (any AdapterSource)?

    /// The module at its maximum rank, as far as it is known; nil where neither source has it.
    func factors(of shape: ModuleShape) throws -> ModuleFactors? {
        let rank = shape.maximumRank
        guard let last = try checked(previous?.factors(of: shape, rank: rank), shape) else {
            return try checked(initial?.factors(of: shape, rank: rank), shape)
        }
        guard last.rank < rank, let first = try checked(initial?.factors(of: shape, rank: rank), shape),
            first.rank > last.rank
        else { return last }
        return ModuleFactors(
            rank: first.rank, inputs: shape.inputs, outputs: shape.outputs,
            a: last.a + first.a[last.a.count...], b: last.b + first.b[last.b.count...], bias: last.bias ?? first.bias)
    }

    func values(of tensor: AdapterShape.Dense) throws -> [Float]? {
        guard let values = try previous?.values(of: tensor) ?? initial?.values(of: tensor) else { return nil }
        guard values.count == tensor.elementCount else { throw AggregationError.earlier(tensor.name) }
        return values
    }

    private func checked(_ factors: ModuleFactors?, _ shape: ModuleShape) throws(AggregationError) -> ModuleFactors? {
        guard let factors else { return nil }
        guard factors.inputs == shape.inputs, factors.outputs == shape.outputs, factors.rank <= shape.maximumRank
        else { throw .earlier(shape.name) }
        return factors
    }
}
