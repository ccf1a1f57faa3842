/// A federation that runs its rounds one after the other.
package protocol SimulatedFederation: AnyObject {
    /// The federation's state after the last round.
    var state: FederationState { get }

    /// Runs the next round.
    ///
    /// - Parameter progress: called after every client.
    func play(
        round: Int, progress: @escaping @Sendable (_ trained: Int, _ selected: Int) -> Void
    ) async throws(SimulationError) -> RoundRecord
}
