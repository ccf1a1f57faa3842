/// How a round's means are added up.
package enum SumKind: String, Sendable, Hashable, CaseIterable {
    /// In float32, in the order of the clients' names: the fastest.
    case float
    /// In fixed point: the same bytes for any order and any tree of partial sums.
    case exact
}
