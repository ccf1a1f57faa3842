/// Labelled examples in memory, of the type that one family of models uses.
package protocol ExampleSet: Sendable {
    /// The class of each example, from 0.
    var labels: [Int] { get }

    /// The examples at `indices`, in their order.
    /// - Precondition: there is at least one, and each is of this set.
    func subset(_ indices: [Int]) -> Self
}

extension ExampleSet {
    package var count: Int { labels.count }
}
