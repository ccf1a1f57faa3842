import CoordinatorAPI
package import Federation
package import RankwiseWire

extension FederationSettings {
    /// A region's settings: the root's, for rounds that open and end with the root's.
    ///
    /// - Parameter clients: the most clients of the region.
    package init(region root: FederationDocument, clients: Int) throws {
        guard root.strategy.sum == Sum.exact.rawValue else {
            throw RegionError("the root's strategy.sum is \(root.strategy.sum); expected exact")
        }
        var document = root
        // The region takes version 0 from the root.
        document.adapter.template = false
        for (name, tensor) in root.adapter.dense where tensor.initial == .named("template") {
            document.adapter.dense[name]?.initial = .named("zeros")
        }
        // The region asks all of its clients, and its round ends with the root's at the latest.
        document.round.minClients = 1
        document.round.minUpdates = 1
        document.round.targetUpdates = nil
        document.round.minCoverage = nil
        document.round.onMissedQuorum = RoundPolicy.MissedQuorum.extend.rawValue
        document.round.selection = FederationDocument.Selection()
        document.limits.maxClients = clients
        // A root that evaluates takes no regions.
        document.evaluation = nil
        try self.init(document)
        upstream = Upstream(mostUpdates: root.limits.maxClients)
    }
}
