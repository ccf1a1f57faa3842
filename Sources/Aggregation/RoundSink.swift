package import AdapterFormat

/// The shape of a round's results, known before they are computed.
package struct RoundOutline: Sendable, Hashable {
    /// The adapter; its modules have the ranks that are published.
    package let shape: AdapterShape
    /// The rank of every module's merge; modules without a merge are missing.
    package let mergeRanks: [String: Int]

    package init(shape: AdapterShape, mergeRanks: [String: Int]) {
        self.shape = shape
        self.mergeRanks = mergeRanks
    }
}

/// Receives a round's results: first the outline, then every module, then every dense tensor, in the outline's order.
package protocol RoundSink: ~Copyable {
    mutating func begin(_ outline: RoundOutline) throws
    mutating func take(_ result: ModuleResult, of module: ModuleShape) throws
    mutating func take(_ values: [Float], of tensor: AdapterShape.Dense) throws
}
