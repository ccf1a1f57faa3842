package import LinearAlgebra
package import TrainingData

/// Scores many adapters of any ranks on one base model. Every example is read once for all of them.
///
/// Y_k = X_k·Wᵀ + s_k·(X_k·A_kᵀ)·B_kᵀ for adapter k. The rows of all adapters are stacked, so that the base needs one
/// product for all of them (arXiv 2312.05677). Where the adapters have the same input, it is computed only once.
package protocol AdapterScorer<Examples>: AnyObject {
    associatedtype Examples: ExampleSet

    /// The groups of adapters that are scored together, one group after the other.
    var groups: [Range<Int>] { get }

    /// The output of every adapter of a group for the examples at `indices` (rows × classes). There are no more
    /// examples than the memory holds.
    ///
    /// The views are valid until the next call. Groups come one after the other, each with all its examples.
    func logits(_ examples: Examples, _ indices: ArraySlice<Int>, group: Int) -> [MatrixView]
}

extension AdapterScorer {
    /// Divides `count` adapters into groups of about the same size.
    static func groups(of count: Int, atMost limit: Int) -> [Range<Int>] {
        let groups = (count + limit - 1) / limit
        return (0..<groups).map { $0 * count / groups..<($0 + 1) * count / groups }
    }
}
