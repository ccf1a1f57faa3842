import LinearAlgebra

/// How a data set is dealt to clients, every example to exactly one; the same seed deals the same way.
package enum Partition: Sendable, Hashable {
    /// Shuffled and dealt in turn.
    case iid
    /// Every label's examples in proportions drawn from a symmetric Dirichlet distribution: the smaller alpha, the
    /// more uneven. No client stays empty. (Hsu et al., arXiv 1909.06335)
    case dirichlet(alpha: Double)
    /// Of as many clients as labels, client i holds labels 0…i, and a label's examples are dealt evenly among the
    /// clients that hold it; of N clients and C labels, client i holds the first ⌈(i + 1)·C/N⌉. (arXiv 2408.08699)
    case staircase

    /// The indices of each client's examples, ascending.
    ///
    /// - Throws: where a parameter makes no partition, or a client would have no example.
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

    /// Holds out a fraction of every label's examples, drawn by the seed; both parts ascending.
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
    /// The indices of each label that occurs, labels ascending.
    private static func byLabel(_ labels: [Int]) -> [[Int]] {
        Dictionary(grouping: labels.indices, by: { labels[$0] }).sorted { $0.key < $1.key }.map(\.value)
    }

    /// Cuts the indices where the cumulated shares fall.
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

    /// Gives each client without an example one of the client that has the most.
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
        // Every draw rounds to zero where alpha is tiny; the limit is then all for one.
        guard sum > 0 else {
            let winner = Int.random(in: 0..<count, using: &generator)
            return (0..<count).map { $0 == winner ? 1 : 0 }
        }
        return draws.map { $0 / sum }
    }
}
