import Coordinator
import Federation

/// What stands for an aggregation: a digest of the round and its updates, so that another cohort gives another result.
enum Sum {
    static func digest(of cohort: [ContentDigest], round: Int) -> ContentDigest {
        HashedSampler().digest(of: "\(round) " + cohort.map(\.hex).joined(separator: " "))
    }

    static func adapter(of round: RoundMachine) -> PublishedAdapter {
        PublishedAdapter(
            digest: digest(of: round.accepted.map(\.digest), round: round.number), byteCount: 1, ranks: ["m": 1])
    }
}
