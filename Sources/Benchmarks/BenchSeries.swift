/// One figure over the runs of a benchmark.
struct BenchSeries: Encodable {
    var values: [Double] = []

    enum CodingKeys: String, CodingKey { case median, lowest, highest, values }

    var median: Double {
        let ordered = values.sorted()
        guard !ordered.isEmpty else { return 0 }
        return (ordered[(ordered.count - 1) / 2] + ordered[ordered.count / 2]) / 2
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(median, forKey: .median)
        try container.encode(values.min(), forKey: .lowest)
        try container.encode(values.max(), forKey: .highest)
        try container.encode(values, forKey: .values)
    }
}
