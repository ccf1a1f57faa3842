package import AdapterFormat

/// How a round's updates become its adapter: a composition of weights, an admission rule and a projection.
package struct Strategy: Sendable {
    package let name: String
    /// What a client counts for.
    package let weighting: Weighting
    /// What an update must satisfy to take part.
    package let admission: Admission
    /// What is published of a module, given the clients' factors.
    let projection: any Projection

    /// Checks an update before it is accepted: the shape, the granted ranks, what this strategy asks, every number.
    package func validate(
        _ update: AdapterFile, shape: AdapterShape, ranks: [String: Int]
    ) throws(AdapterError) {
        try update.checkShapes(against: shape, ranks: ranks)
        try admission.check(update, shape: shape)
        try update.checkFinite()
    }
}
