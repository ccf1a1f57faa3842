/// Clients that are regions: each sends one partial sum of its own clients.
extension FederationMachine {
    /// How many clients' places the regions take, beyond one for each.
    var placesOfRegions: Int {
        settings.strategy.sum == .exact ? clients.tally.furtherPlaces : 0
    }

    /// Checks that a client may register with this claim.
    ///
    /// - Parameter token: the id of the token that admits it; nil where the admin registers it.
    func check(_ region: Capabilities.Region?, admittedBy token: String?) throws(RegistrationError) {
        let role = token.flatMap { tokens[$0]?.role }
        guard let region else {
            guard role != .region else {
                throw .region(reason: "the token registers regions alone; expected capabilities.region")
            }
            return
        }
        guard role == .region || role == nil else {
            throw .region(reason: "the token registers clients alone; expected one of the role region")
        }
        guard settings.strategy.sum == .exact else {
            throw .region(
                reason: "strategy.sum is \(settings.strategy.sum.rawValue); regions need a federation with exact")
        }
        guard settings.server.optimizer == "none" else {
            throw .region(
                reason: "server.optimizer is \(settings.server.optimizer); regions need a federation with none")
        }
        guard settings.policy.buffer == nil else {
            throw .region(reason: "the federation is asynchronous; regions follow its rounds")
        }
        guard settings.evaluation == nil else {
            throw .region(
                reason: "the federation has an evaluation, of which a region's clients would hear nothing; leave it out"
            )
        }
        guard settings.upstream == nil else {
            throw .region(reason: "this server is a region itself; expected the root, \(settings.id) at its own server")
        }
        guard (1...settings.limits.clients).contains(region.clients) else {
            throw .region(
                reason:
                    "capabilities.region.clients is no number from 1 to \(settings.limits.clients), the federation's "
                    + "max_clients")
        }
    }

    /// The region of an accepted update; nil for the update of one client.
    package func region(of update: Update) -> Capabilities.Region? { clients[update.client]?.capabilities.region }
}

extension Client {
    /// The places that it takes beyond one.
    var furtherPlaces: Int { max(0, (capabilities.region?.clients ?? 1) - 1) }
}
