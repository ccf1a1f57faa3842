import AdapterFormat
package import LinearAlgebra

/// The exact sum of a tensor beside the factors over some clients: Σ w·x, and Σ w of those that hold it.
package struct PartialDense: Sendable, Equatable {
    package var values: FixedPointPlanes
    /// One number.
    package var weight: FixedPointPlanes

    /// No client.
    package init(zeros count: Int) {
        values = FixedPointPlanes(zeros: count)
        weight = FixedPointPlanes(zeros: 1)
    }

    /// Adds clients up; a client of weight zero adds nothing and is not read.
    init(_ holders: [Cohort.Holder], count: Int, termLimit: Double) throws(AggregationError) {
        let sum = ExactSum(limit: termLimit)
        var total = FixedPoint.zero
        var terms: [ExactSum.Term] = []
        for holder in holders {
            let weight = try sum.weight(holder.weight, of: holder.client)
            guard weight != .zero else { continue }
            guard let next = total.adding(weight) else {
                throw sum.refusal(of: holder.client, tensor: nil, value: holder.weight)
            }
            total = next
            // As one row, except where each row has its own channel.
            let rows = holder.values.messageBits == nil ? 1 : holder.values.shape[0]
            terms.append(
                .init(
                    client: holder.client, tensor: holder.values, rows: rows, columns: count / rows,
                    factor: holder.weight))
        }
        weight = FixedPointPlanes([total])
        // Terms of both kinds take as many rows as the quantised ones.
        let rows = terms.map(\.rows).max() ?? 1
        values = try sum.of(
            terms.map { $0.reshaped(rows: rows, columns: count / rows) }, rows: rows, columns: count / rows)
    }

    /// Whether any client of any weight holds the tensor.
    package var isHeld: Bool { weight[0] != .zero }

    /// The mean; nil where no client of any weight holds the tensor.
    func mean() -> [Float]? {
        guard let divisor = ExactDivisor(weight[0]) else { return nil }
        return values.quotients(rows: 1, ofRows: [divisor])
    }
}
