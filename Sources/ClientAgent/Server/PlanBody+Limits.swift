import RankwiseWire

extension PlanBody {
    /// The accepted round numbers, so that arithmetic on them cannot overflow.
    private static let roundLimits = 0...1_000_000_000
    private static let rankLimits = 1...1_000_000_000

    /// Why this plan cannot be followed in `federation`; nil where it can.
    func unusable(in federation: String) -> String? {
        if self.federation != federation { return "it is of federation \(self.federation)" }
        for (name, number, range) in [
            ("round", round, Self.roundLimits), ("rank", rank, Self.rankLimits),
            ("adapter.round", adapter?.round, Self.roundLimits),
            ("merge.round", merge?.round, Self.roundLimits), ("merge.since", merge?.since, Self.roundLimits),
        ] as [(String, Int?, ClosedRange<Int>)] {
            guard let number, !range.contains(number) else { continue }
            return "its \(name) is \(number); expected \(range.lowerBound) to \(range.upperBound)"
        }
        if let (module, rank) = ranks.first(where: { !Self.rankLimits.contains($0.value) }) {
            return "its rank of \(module) is \(rank); expected \(Self.rankLimits.lowerBound) or more"
        }
        if let evaluate, !Self.roundLimits.contains(evaluate.round) {
            return "its evaluate.round is \(evaluate.round); expected \(Self.roundLimits.lowerBound) or more"
        }
        if let holdout, !(0..<1).contains(holdout) {
            return "its holdout is \(holdout); expected at least 0, below 1"
        }
        if let seconds = comeBackSeconds, !(0...86_400).contains(seconds) {
            return "its come_back_seconds is \(seconds); expected 0 to 86400"
        }
        let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%=&".utf8)
        if !cut.utf8.allSatisfy(plain.contains) { return "its adapter.href has no sound query" }
        let numbers = [penalty, pruning?.gamma, pruning?.penalty].compactMap { $0 } + scales.values
        if let number = numbers.first(where: { !Float($0).isFinite }) { return "its \(number) is beyond all use" }
        return nil
    }
}
