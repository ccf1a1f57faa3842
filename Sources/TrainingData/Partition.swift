import LinearAlgebra

/// How the examples of a data set are divided among clients, each example to exactly one. The same seed gives the same
/// partition.
package enum Partition: Sendable, Hashable {
    /// Shuffled, then dealt in turn.
    case iid
    /// Each label's examples in proportions from a symmetric Dirichlet distribution: a smaller alpha gives less even
    /// parts. No client stays empty (Hsu et al., arXiv 1909.06335).
    case dirichlet(alpha: Double)
    /// With as many clients as labels, client i has labels 0…i, and a label's examples are dealt evenly to the clients
    /// that have it. With N clients and C labels, client i has the first ⌈(i + 1)·C/N⌉ labels (arXiv 2408.08699).
    case staircase

    /// The indices of each client's examples, ascending.
    ///
    /// - Throws: where a parameter is invalid, or where a client would have no example.
    package func deal(
        _ labels: [Int], to clients: Int, seed: UInt64
    ) throws(PartitionError) -> [[Int]] {
        guard clients > 0 else { throw .clients(clients) }
        guard labels.count >= clients else { throw .tooFewExamples(labels.count, clients: clients) }
        var generator = SeededGenerator(seed: seed, stream: "partition")
        var hands = [[Int]](repeating: [], count: clients)
        switch self {
        case .iid:
            for (turn, index) in labels.indices.shuffled(using: &generator).enumerated() {
                hands[turn % clients].append(index)
            }
        case .dirichlet(let alpha):
            guard alpha > 0, alpha <= 1e9 else { throw .alpha(alpha) }
            for indices in Self.byLabel(labels) {
                let shares = Self.dirichlet(alpha: alpha, count: clients, using: &generator)
                Self.deal(indices.shuffled(using: &generator), in: shares, to: &hands)
            }
            Self.fillEmpty(&hands)
        case .staircase:
            let groups = Self.byLabel(labels)
            for (label, indices) in groups.enumerated() {
                // The first client with ⌈(i + 1)·C/N⌉ > label.
                let first = label * clients / groups.count
                for (turn, index) in indices.shuffled(using: &generator).enumerated() {
                    hands[first + turn % (clients - first)].append(index)
                }
            }
        }
        if let empty = hands.firstIndex(where: \.isEmpty) { throw .empty(client: empty) }
        return hands.map { $0.sorted() }
    }

    /// Holds out a fraction of each label's examples, drawn by the seed. Both parts are ascending.
    ///
    /// - Throws: where a part would be empty.
    package static func holdOut(
        _ fraction: Double, of labels: [Int], seed: UInt64
    ) throws(PartitionError) -> (kept: [Int], heldOut: [Int]) {
        guard fraction > 0, fraction < 1 else { throw .fraction(fraction) }
        var generator = SeededGenerator(seed: seed, stream: "held out")
        var kept: [Int] = []
        var heldOut: [Int] = []
        for indices in byLabel(labels) {
            let count = Int((Double(indices.count) * fraction).rounded())
            let shuffled = indices.shuffled(using: &generator)
            heldOut += shuffled[..<count]
            kept += shuffled[count...]
        }
        guard !kept.isEmpty, !heldOut.isEmpty else { throw .fraction(fraction) }
        return (kept.sorted(), heldOut.sorted())
    }
}

extension Partition {
    /// The indices of each label that occurs, in ascending order of labels.
    private static func byLabel(_ labels: [Int]) -> [[Int]] {
        Dictionary(grouping: labels.indices, by: { labels[$0] }).sorted { $0.key < $1.key }.map(\.value)
    }

    /// Cuts the indices at the cumulative shares.
    private static func deal(_ indices: [Int], in shares: [Double], to hands: inout [[Int]]) {
        var cumulated = 0.0
        var start = 0
        for client in hands.indices {
            cumulated += shares[client]
            let isLast = client == hands.count - 1
            let end = isLast ? indices.count : Int((cumulated * Double(indices.count)).rounded())
            let cut = max(start, min(end, indices.count))
            hands[client] += indices[start..<cut]
            start = cut
        }
    }

    /// Gives each empty client one example of the client that has the most.
    private static func fillEmpty(_ hands: inout [[Int]]) {
        for client in hands.indices where hands[client].isEmpty {
            guard let richest = hands.indices.max(by: { hands[$0].count < hands[$1].count }),
                hands[richest].count > 1, let index = hands[richest].popLast()
            else { return }
            hands[client].append(index)
        }
    }

    private static func dirichlet(
        alpha: Double, count: Int, using generator: inout SeededGenerator
    ) -> [Double] {
        let draws = (0..<count).map { _ in generator.gamma(shape: alpha) }
        let sum = draws.reduce(0, +)
        // With a tiny alpha every draw rounds to zero. The limit is that one client gets all.
        guard sum > 0 else {
            let winner = Int.random(in: 0..<count, using: &generator)
            return (0..<count).map { $0 == winner ? 1 : 0 }
        }
        return draws.map { $0 / sum }
    }
}
