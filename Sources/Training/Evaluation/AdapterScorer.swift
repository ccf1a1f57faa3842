package import LinearAlgebra
package import TrainingData

/// A base model with many adapters of their own ranks on it, which sees every example once for all of them.
///
/// Y_k = X_k·Wᵀ + s_k·(X_k·A_kᵀ)·B_kᵀ for adapter k: the rows of all adapters stand above each other, so that the base
/// product is one product for all of them (arXiv 2312.05677), and where they have the same input it is taken only once.
package protocol AdapterScorer<Examples>: AnyObject {
    associatedtype Examples: ExampleSet

    /// The adapters that go through at a time, one group after the other.
    var groups: [Range<Int>] { get }

    /// What every adapter of a group makes of the examples at `indices`, no more than there is memory for (rows × classes).
    ///
    /// The views hold until the next call. Groups come one after the other, each with all its examples.
    func logits(_ examples: Examples, _ indices: ArraySlice<Int>, group: Int) -> [MatrixView]
}

extension AdapterScorer {
    /// Cuts `count` adapters into groups of about the same size.
    static func groups(of count: Int, atMost limit: Int) -> [Range<Int>] {
        let groups = (count + limit - 1) / limit
        return (0..<groups).map { $0 * count / groups..<($0 + 1) * count / groups }
    }
}
