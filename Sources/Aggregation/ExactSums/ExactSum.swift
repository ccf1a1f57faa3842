import AdapterFormat
import LinearAlgebra

/// Adds tensors of clients in fixed point, and names the client whose number is too large.
struct ExactSum {
    /// What no |w·(s_k/s_R)·x| may reach.
    let limit: Double

    /// One client's tensor.
    struct Term {
        let client: String
        let tensor: TensorView
        let rows: Int
        let columns: Int
        let factor: Double

        /// The same numbers in rows of another length.
        func reshaped(rows: Int, columns: Int) -> Term {
            Term(client: client, tensor: tensor, rows: rows, columns: columns, factor: factor)
        }
    }

    /// A client's weight in fixed point.
    func weight(_ weight: Double, of client: String) throws(AggregationError) -> FixedPoint {
        guard weight < limit, let rounded = FixedPoint(rounding: weight) else {
            throw refusal(of: client, tensor: nil, value: weight)
        }
        return rounded
    }

    /// Σ factor·x in the first rows and columns of (rows × columns).
    func of(_ terms: [Term], rows: Int, columns: Int) throws(AggregationError) -> FixedPointPlanes {
        var sums = FixedPointPlanes(zeros: rows * columns)
        let isWithin = TensorView.withBytes(of: terms.map(\.tensor)) { lent in
            let matrices = zip(terms, lent).map { term, lent in
                ExactTerm(
                    bytes: lent.bytes, fetch: term.tensor.reader, storage: StoredReal(term.tensor),
                    channels: WeightedMatrix.Channels(lent), rows: term.rows, columns: term.columns,
                    factor: term.factor)
            }
            return accumulateExactly(matrices, columns: columns, limit: limit, into: &sums)
        }
        guard isWithin else { throw refusal(among: terms) }
        return sums
    }

    /// Names the first term with a number that is too large.
    private func refusal(among terms: [Term]) -> AggregationError {
        let products = terms.map { Double($0.tensor.largestMagnitude()) * $0.factor }
        let place = products.firstIndex { !($0 < limit) } ?? 0
        return refusal(
            of: terms[place].client, tensor: TensorName(parsing: terms[place].tensor.name).bare, value: products[place])
    }

    func refusal(of client: String, tensor: String?, value: Double) -> AggregationError {
        .range(client: client, tensor: tensor, value: value, limit: limit)
    }
}
