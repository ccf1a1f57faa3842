import Foundation

/// The results of a benchmark of aggregation.
struct BenchReport: Encodable {
    struct Settings: Encodable {
        let strategy: String
        let sum: String
        let robust: String?
        let clients: Int
        let ranks: [Int]
        let modules: Int
        let inputs: Int
        let outputs: Int
        let dtype: String
        let threads: Int
        let runs: Int
        let warmup: Int
        let seed: UInt64
        let commonStart: Bool
    }

    struct Shuffles: Encodable {
        let runs: Int
        let threads: [Int]
        let same: Int
        var isSame: Bool { same == runs }

        enum CodingKeys: String, CodingKey { case runs, threads, same, isSame }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(runs, forKey: .runs)
            try container.encode(threads, forKey: .threads)
            try container.encode(same, forKey: .same)
            try container.encode(isSame, forKey: .isSame)
        }
    }

    let settings: Settings
    let machine: BenchMachine
    let reference: String?
    let inputBytes: Int
    var publishedBytes = 0
    /// The times from files to published files.
    private(set) var total = BenchSeries()
    /// The times from files to sums, without writing.
    private(set) var sum = BenchSeries()
    /// The times from numbers in memory to sums, with files that are open and mapped.
    private(set) var sumAlone = BenchSeries()
    /// The processor time of all threads, for the three above.
    private(set) var totalProcessor = BenchSeries()
    private(set) var sumProcessor = BenchSeries()
    private(set) var sumAloneProcessor = BenchSeries()
    private(set) var referenceTotal = BenchSeries()
    private(set) var referenceSum = BenchSeries()
    private(set) var referenceProcessor = BenchSeries()
    private(set) var readFirstTouch = BenchSeries()
    private(set) var readMapped = BenchSeries()
    /// The process's memory before a run, the maximum over all runs.
    private(set) var anonymousBytesBefore = 0
    private(set) var anonymousBytesPeak = 0
    /// SHA-256 of the published files.
    var digest = ""
    /// The largest difference from the reference's numbers, relative to the largest number.
    var difference: Double?
    var shuffles: Shuffles?
    /// The inner products that a robust rule needs; nil for a rule without them.
    var products: BenchProducts?

    /// The rate of the products alone: what the rule takes longer than the same round without it.
    private var productRate: Double? {
        guard let products, !referenceSum.values.isEmpty else { return nil }
        return products.leastOperations / max(1e-9, sum.median - referenceSum.median) / 1e9
    }

    init(settings: Settings, machine: BenchMachine, reference: String?, inputBytes: Int) {
        self.settings = settings
        self.machine = machine
        self.reference = reference
        self.inputBytes = inputBytes
    }

    mutating func add(
        total: BenchTimes, sum: BenchTimes, sumAlone: BenchTimes, reading: ReadPass,
        reference: BenchReference.Times?, anonymous: MemorySampler.Peak
    ) {
        self.total.values.append(total.seconds)
        self.sum.values.append(sum.seconds)
        self.sumAlone.values.append(sumAlone.seconds)
        totalProcessor.values.append(total.processorSeconds)
        sumProcessor.values.append(sum.processorSeconds)
        sumAloneProcessor.values.append(sumAlone.processorSeconds)
        readFirstTouch.values.append(reading.firstTouch)
        readMapped.values.append(reading.mapped)
        if let reference {
            referenceTotal.values.append(reference.total)
            referenceProcessor.values.append(reference.processor)
        }
        if let sum = reference?.sum { referenceSum.values.append(sum) }
        anonymousBytesBefore = max(anonymousBytesBefore, anonymous.before)
        anonymousBytesPeak = max(anonymousBytesPeak, anonymous.highest)
    }

    private func gigabytesPerSecond(_ series: BenchSeries) -> Double { Double(inputBytes) / series.median / 1e9 }

    /// Our median relative to the reference's.
    private var ratio: Double? { referenceTotal.values.isEmpty ? nil : total.median / referenceTotal.median }

    /// For each run, our time relative to the reference's.
    private var ratios: BenchSeries { BenchSeries(values: zip(total.values, referenceTotal.values).map { $0 / $1 }) }

    enum CodingKeys: String, CodingKey {
        case settings, machine, reference, inputBytes, publishedBytes
        case total, sum, sumAlone, totalProcessor, sumProcessor, sumAloneProcessor
        case referenceTotal, referenceSum, referenceProcessor
        case ratio, ratioByRun, readFirstTouch, readMapped, sumGigabytesPerSecond, sumAloneGigabytesPerSecond
        case readGigabytesPerSecond, firstTouchGigabytesPerSecond, shareOfReadBandwidth, shareOfFirstTouchBandwidth
        case anonymousBytesBefore, anonymousBytesPeak, digest, difference, shuffles
        case products, productGigaflopsPerSecond
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(settings, forKey: .settings)
        try container.encode(machine, forKey: .machine)
        try container.encode(inputBytes, forKey: .inputBytes)
        try container.encode(publishedBytes, forKey: .publishedBytes)
        try container.encode(total, forKey: .total)
        try container.encode(sum, forKey: .sum)
        try container.encode(sumAlone, forKey: .sumAlone)
        try container.encode(totalProcessor, forKey: .totalProcessor)
        try container.encode(sumProcessor, forKey: .sumProcessor)
        try container.encode(sumAloneProcessor, forKey: .sumAloneProcessor)
        if let reference, let ratio {
            try container.encode(reference, forKey: .reference)
            try container.encode(referenceTotal, forKey: .referenceTotal)
            if !referenceSum.values.isEmpty { try container.encode(referenceSum, forKey: .referenceSum) }
            try container.encode(referenceProcessor, forKey: .referenceProcessor)
            try container.encode(ratio, forKey: .ratio)
            try container.encode(ratios, forKey: .ratioByRun)
        }
        try container.encode(readFirstTouch, forKey: .readFirstTouch)
        try container.encode(readMapped, forKey: .readMapped)
        try container.encode(gigabytesPerSecond(sum), forKey: .sumGigabytesPerSecond)
        try container.encode(gigabytesPerSecond(sumAlone), forKey: .sumAloneGigabytesPerSecond)
        try container.encode(gigabytesPerSecond(readMapped), forKey: .readGigabytesPerSecond)
        try container.encode(gigabytesPerSecond(readFirstTouch), forKey: .firstTouchGigabytesPerSecond)
        try container.encode(readMapped.median / sumAlone.median, forKey: .shareOfReadBandwidth)
        try container.encode(readFirstTouch.median / sum.median, forKey: .shareOfFirstTouchBandwidth)
        try container.encode(anonymousBytesBefore, forKey: .anonymousBytesBefore)
        try container.encode(anonymousBytesPeak, forKey: .anonymousBytesPeak)
        try container.encode(digest, forKey: .digest)
        try container.encodeIfPresent(difference, forKey: .difference)
        try container.encodeIfPresent(shuffles, forKey: .shuffles)
        try container.encodeIfPresent(products, forKey: .products)
        try container.encodeIfPresent(productRate, forKey: .productGigaflopsPerSecond)
    }

    func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return try encoder.encode(self) + Data("\n".utf8)
    }
}

extension BenchReport {
    /// The same results for people.
    var table: String {
        var lines = [
            "\(settings.strategy), sum \(settings.sum), \(settings.robust.map { "robust \($0), " } ?? "")\(settings.clients) clients, \(settings.dtype), \(settings.threads) threads, "
                + "\(megabytes(inputBytes)) in, \(megabytes(publishedBytes)) out",
            line("files to published files", total) + processor(totalProcessor),
            line("files to sums", sum) + processor(sumProcessor)
                + String(
                    format: "  %.1f GB/s, %.0f%% of first touch", gigabytesPerSecond(sum),
                    100 * readFirstTouch.median / sum.median),
            line("decode and sum alone", sumAlone) + processor(sumAloneProcessor)
                + String(
                    format: "  %.1f GB/s, %.0f%% of mapped reading", gigabytesPerSecond(sumAlone),
                    100 * readMapped.median / sumAlone.median),
            line("plain read, first touch", readFirstTouch)
                + String(format: "  %.1f GB/s", gigabytesPerSecond(readFirstTouch)),
            line("plain read, mapped", readMapped) + String(format: "  %.1f GB/s", gigabytesPerSecond(readMapped)),
        ]
        if let ratio {
            lines.append(line("reference", referenceTotal) + processor(referenceProcessor) + "  \(reference ?? "")")
            if !referenceSum.values.isEmpty { lines.append(line("reference, sum alone", referenceSum)) }
            lines.append(
                String(
                    format: "ours / reference           %.3f    %.3f to %.3f by run", ratio,
                    ratios.values.min() ?? 0, ratios.values.max() ?? 0))
        }
        if let products, let productRate {
            lines.append(
                String(
                    format:
                        "inner products             %.3e operations at least, %.1f GFLOP/s, %.0f%% of dgemm's %.1f (sgemm: %.1f)",
                    products.leastOperations, productRate, 100 * productRate / products.doublePeak, products.doublePeak,
                    products.floatPeak))
        }
        if let difference { lines.append(String(format: "largest difference         %.1e", difference)) }
        lines.append(
            "RssAnon                    \(megabytes(anonymousBytesPeak)) at most, \(megabytes(anonymousBytesBefore)) before"
        )
        if let shuffles {
            lines.append("shuffles                   \(shuffles.same) of \(shuffles.runs) gave the same digest")
        }
        lines.append("digest                     \(digest)")
        return lines.joined(separator: "\n") + "\n"
    }

    private func line(_ name: String, _ series: BenchSeries) -> String {
        let label = name + String(repeating: " ", count: max(1, 27 - name.count))
        return label
            + String(
                format: "%.3f s  %.3f to %.3f", series.median, series.values.min() ?? 0, series.values.max() ?? 0)
    }

    private func processor(_ series: BenchSeries) -> String { String(format: "  (processor %.3f s)", series.median) }

    private func megabytes(_ bytes: Int) -> String { String(format: "%.1f MB", Double(bytes) / 1e6) }
}
