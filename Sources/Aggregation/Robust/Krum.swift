/// The updates that are nearest to the others, after arXiv 1703.02757, on relative distances: without them, an update of low
/// rank would always win, because its common parts are small.
struct Krum {
    /// The sum of the distances to the nearest others, one for each update.
    let scores: [Double]
    /// The kept updates, ascending.
    let kept: [Int]
    /// What the round says where fewer hostile updates are withstood than the rule wants.
    let note: String?

    /// Below 2·byzantine + 3 updates it withstands fewer; those that were left out before may have been the hostile ones.
    init(_ pairs: UpdatePairs, byzantine: Int, keep: Int) {
        let count = pairs.count
        let withstood = min(byzantine, max(0, (count - 3) / 2))
        let nearest = max(0, count - withstood - 2)
        note =
            withstood < byzantine
            ? "krum: \(count) updates take part, which withstand \(withstood) hostile ones, not \(byzantine)" : nil
        let scores = (0..<count).map { one in
            (0..<count).filter { $0 != one }.map { pairs.relativeDistance(one, $0) }.sorted().prefix(nearest)
                .reduce(0, +)
        }
        self.scores = scores
        kept = (0..<count).sorted { (scores[$0], $0) < (scores[$1], $1) }.prefix(keep).sorted()
    }

    /// What the round says of those that are not kept.
    ///
    /// - Parameter clients: the updates' names, ascending.
    func leftOut(of clients: [String]) -> [RobustReport.LeftOut] {
        let order = clients.indices.sorted { (scores[$0], $0) < (scores[$1], $1) }
        let places = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
        return clients.indices.filter { !kept.contains($0) }.map { index in
            RobustReport.LeftOut(
                client: clients[index],
                reason: "update.krum: its score, \(Self.text(scores[index])), is number \((places[index] ?? 0) + 1) of "
                    + "\(clients.count) in ascending order; \(kept.count) are kept")
        }
    }

    /// Four decimals: the last places of a score say nothing.
    private static func text(_ score: Double) -> String {
        score.isFinite ? "\((score * 10_000).rounded() / 10_000)" : "infinite"
    }
}
