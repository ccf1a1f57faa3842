import Glibc

/// A rank that falls from round to round: `sa-fedlora` (arXiv 2405.09394). The paper's schedule is not public; this is
/// the project's own.
///
/// Full rank for the first `warmupRounds`, then r(t) = max(minimumRank, round(R·cooling^(t − warmupRounds))).
struct RankSchedule: Sendable {
    let warmupRounds: Int
    let cooling: Double
    let minimumRank: Int

    func isWarm(_ round: Int) -> Bool { round <= warmupRounds }

    func rank(_ maximum: Int, in round: Int) -> Int {
        guard !isWarm(round) else { return maximum }
        let cooled = Double(maximum) * pow(cooling, Double(round - warmupRounds))
        return min(maximum, max(minimumRank, 1, Int(cooled.rounded())))
    }
}
