import Federation
import Synchronization

/// What is shared of rounds, in the memory of the only server that has the data directory: its own workers are the only
/// ones, and the leases of parts end with the process too.
final class PartTable: Sendable {
    private struct Key: Hashable {
        let federation: FederationID
        let round: Int
    }

    private let rounds = Mutex<[Key: SharedRound]>([:])

    func share(_ round: SharedRound, number: Int, of federation: FederationID) -> (
        shared: SharedRound, replaced: [ContentDigest]
    ) {
        rounds.withLock { rounds in
            let key = Key(federation: federation, round: number)
            if let known = rounds[key], known.basis == round.basis { return (known, []) }
            let replaced = rounds.updateValue(round, forKey: key)
            return (round, replaced?.blobs ?? [])
        }
    }

    func round(_ number: Int, of federation: FederationID) -> SharedRound? {
        rounds.withLock { $0[Key(federation: federation, round: number)] }
    }

    /// Notes a part's result; false where the round is not shared with this basis, or the part has a result.
    func note(_ result: PartResult, part: Int, round number: Int, basis: ContentDigest, of federation: FederationID)
        -> Bool
    {
        rounds.withLock { rounds in
            let key = Key(federation: federation, round: number)
            guard let known = rounds[key], known.basis == basis, known.results[part] == nil else { return false }
            rounds[key] = SharedRound(
                basis: basis, parts: known.parts, results: known.results.merging([part: result]) { $1 })
            return true
        }
    }

    /// Ends the sharing of a round.
    ///
    /// - Returns: the blobs of its results.
    func end(_ number: Int, of federation: FederationID) -> [ContentDigest] {
        rounds.withLock { $0.removeValue(forKey: Key(federation: federation, round: number))?.blobs ?? [] }
    }
}

extension SharedRound {
    /// The blobs of the results.
    fileprivate var blobs: [ContentDigest] {
        results.values.compactMap { if case .sum(let digest, _) = $0 { digest } else { nil } }
    }
}
