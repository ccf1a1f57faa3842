import Coordinator
import Federation

extension FederationSettings {
    /// The clients that the coordinator would select if all had been seen, ascending.
    ///
    /// - Parameter names: ascending.
    func selection(of names: [ClientName], round: Int) -> [ClientName] {
        let count = policy.cohort(of: names.count)
        guard count < names.count else { return names }
        return HashedSampler().sample(
            count, of: names.map { Candidate(client: $0, value: 0) }, by: .uniform, seed: seed, round: round)
    }
}
