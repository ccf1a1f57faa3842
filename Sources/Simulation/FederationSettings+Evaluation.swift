import Federation

extension FederationSettings {
    /// In memory nobody asks clients what they find: the simulation scores every round itself.
    func refuseEvaluation() throws(SimulationError) {
        guard evaluation != nil else { return }
        throw .settings(
            path: "evaluation", reason: "is of clients that a server asks: simulate over HTTP, or leave it out")
    }
}
