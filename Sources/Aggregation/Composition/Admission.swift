package import AdapterFormat

/// A strategy's condition for updates, beyond the federation's shape.
package enum Admission: Sendable, Hashable {
    /// Any rank up to the granted one.
    case anyRank
    /// The module's maximum rank, from every client.
    case fullRank

    /// Checks that an update satisfies the condition.
    package func check(_ adapter: AdapterFile, shape: AdapterShape) throws(AdapterError) {
        switch self {
        case .anyRank: return
        case .fullRank:
            for module in adapter.modules {
                guard let expected = shape[module: module.name], module.rank < expected.maximumRank else { continue }
                throw .rankNotFull(
                    tensor: expected.nameOfA.bare, needed: expected.maximumRank, found: module.rank)
            }
        }
    }
}
