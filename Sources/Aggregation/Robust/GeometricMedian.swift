/// Smoothed Weiszfeld steps towards the geometric median of the updates, after arXiv 1912.13445, on their inner products alone.
enum GeometricMedian {
    /// Distances below this share of the norms are rounding of the inner products, and count as zero.
    private static let leastDistance = 1e-14

    /// The weights after the steps: p_k ∝ w_k / max(floor·median(d), d_k), where d_k is the distance to Σ p_j·x_j.
    ///
    /// Where the median of the distances is 0, the steps end.
    ///
    /// - Parameter weights: w_k, of which one is above zero.
    static func weights(_ pairs: UpdatePairs, weights: [Double], iterations: Int, floor: Double) -> [Double] {
        var shares = normalised(weights)
        for _ in 0..<iterations {
            let distances = distances(pairs, to: shares)
            let median = distances.median
            guard median > 0 else { break }
            shares = normalised(zip(weights, distances).map { $0 / max(floor * median, $1) })
        }
        return shares
    }

    /// ‖x_k − Σ_j p_j·x_j‖ of every update.
    private static func distances(_ pairs: UpdatePairs, to shares: [Double]) -> [Double] {
        let count = pairs.count
        let toCentre = (0..<count).map { one in
            (0..<count).reduce(0) { $0 + shares[$1] * pairs.products[one * count + $1] }
        }
        let centre = zip(shares, toCentre).reduce(0) { $0 + $1.0 * $1.1 }
        return (0..<count).map { one in
            let own = pairs.products[one * count + one]
            let square = own - 2 * toCentre[one] + centre
            return square > leastDistance * (own + centre) ? square.squareRoot() : 0
        }
    }

    /// What the round says: the update that counts least.
    static func note(_ weights: [Double], clients: [String]) -> String {
        let least = weights.indices.min { (weights[$0], $0) < (weights[$1], $1) }
        let text = least.map { "; least: \(clients[$0]), \((weights[$0] * 1e6).rounded() / 1e6)" } ?? ""
        return "geometric-median: \(weights.count) updates weighted by their distance to it\(text)"
    }

    private static func normalised(_ weights: [Double]) -> [Double] {
        let total = weights.reduce(0, +)
        return weights.map { $0 / total }
    }
}
