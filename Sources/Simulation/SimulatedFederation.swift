/// A federation whose rounds are played one after the other.
package protocol SimulatedFederation: AnyObject {
    /// Where the last round left the federation.
    var state: FederationState { get }

    /// Plays the round after the last one.
    ///
    /// - Parameter progress: hears of every client that is done.
    func play(
        round: Int, progress: @escaping @Sendable (_ trained: Int, _ selected: Int) -> Void
    ) async throws(SimulationError) -> RoundRecord
}
