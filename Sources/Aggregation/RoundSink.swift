package import AdapterFormat

/// What a round will publish, known before any of it is computed.
package struct RoundOutline: Sendable, Hashable {
    /// The adapter; its modules have the ranks that are published.
    package let shape: AdapterShape
    /// The rank of every module's merge; a module that has nothing to add has none.
    package let mergeRanks: [String: Int]

    package init(shape: AdapterShape, mergeRanks: [String: Int]) {
        self.shape = shape
        self.mergeRanks = mergeRanks
    }
}

/// Where a round's results go: first the outline, then every module, then every dense tensor, in the outline's order.
package protocol RoundSink: ~Copyable {
    mutating func begin(_ outline: RoundOutline) throws
    mutating func take(_ result: ModuleResult, of module: ModuleShape) throws
    mutating func take(_ values: [Float], of tensor: AdapterShape.Dense) throws
}
