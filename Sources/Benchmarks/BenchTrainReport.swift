import Foundation
import Training

/// The results of a benchmark of training steps.
struct BenchTrainReport: Encodable {
    struct Settings: Encodable {
        let job: BenchTraining.Job
        let runs: Int
        let warmup: Int
        let seed: UInt64

        enum CodingKeys: String, CodingKey { case runs, warmup, seed }

        func encode(to encoder: any Encoder) throws {
            try job.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(runs, forKey: .runs)
            try container.encode(warmup, forKey: .warmup)
            try container.encode(seed, forKey: .seed)
        }
    }

    /// One run of the reference, in seconds.
    struct ReferenceTimes: Decodable {
        let total: Double
        /// The processor time of all threads.
        let processor: Double
        /// VmHWM of its process, in bytes.
        let resident: Double?
    }

    let settings: Settings
    let machine: BenchMachine
    let reference: String?
    let flopsPerStep: Double
    /// Milliseconds per step.
    private(set) var step = BenchSeries()
    /// The processor time of all threads.
    private(set) var stepProcessor = BenchSeries()
    private(set) var referenceStep = BenchSeries()
    private(set) var referenceStepProcessor = BenchSeries()
    /// OpenBLAS's speed, in gigaflops per second.
    private(set) var peak = BenchSeries()

    /// VmHWM of this process and of the reference's, in bytes.
    private(set) var resident = 0.0
    private(set) var referenceResident: Double?

    mutating func add(_ ours: BenchTimes, peak: Double, reference: ReferenceTimes?) {
        let scale = 1000 / Double(settings.job.steps)
        step.values.append(ours.seconds * scale)
        stepProcessor.values.append(ours.processorSeconds * scale)
        self.peak.values.append(peak)
        resident = Double(ProcessMemory.bytes("VmHWM"))
        guard let reference else { return }
        referenceResident = reference.resident
        referenceStep.values.append(reference.total * scale)
        referenceStepProcessor.values.append(reference.processor * scale)
    }

    /// The number of our steps in the time of one reference step.
    private var speed: Double? { reference == nil ? nil : referenceStep.median / step.median }

    /// The same for the fastest run of each; other load on the machine affects it least.
    private var speedOfFastest: Double? {
        guard let ours = step.values.min(), let theirs = referenceStep.values.min() else { return nil }
        return theirs / ours
    }

    private var speeds: BenchSeries { BenchSeries(values: zip(referenceStep.values, step.values).map { $0 / $1 }) }

    /// nil where examples have no lengths.
    private func tokensPerSecond(_ step: BenchSeries) -> Double? {
        settings.job.length.map { Double(settings.job.batch * $0) * 1000 / step.median }
    }

    private var gigaflopsPerSecond: Double { flopsPerStep / step.median / 1e6 }

    enum CodingKeys: String, CodingKey {
        case settings, machine, reference, flopsPerStep, stepMilliseconds, stepProcessorMilliseconds
        case referenceStepMilliseconds, referenceStepProcessorMilliseconds, speed, speedByRun, speedOfFastest
        case gemmGigaflopsPerSecond, gigaflopsPerSecond, shareOfGemmPeak
        case resident, referenceResident, tokensPerSecond
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(settings, forKey: .settings)
        try container.encode(machine, forKey: .machine)
        try container.encode(flopsPerStep, forKey: .flopsPerStep)
        try container.encode(step, forKey: .stepMilliseconds)
        try container.encode(stepProcessor, forKey: .stepProcessorMilliseconds)
        if let reference, let speed {
            try container.encode(reference, forKey: .reference)
            try container.encode(referenceStep, forKey: .referenceStepMilliseconds)
            try container.encode(referenceStepProcessor, forKey: .referenceStepProcessorMilliseconds)
            try container.encode(speed, forKey: .speed)
            try container.encode(speeds, forKey: .speedByRun)
            try container.encode(speedOfFastest, forKey: .speedOfFastest)
        }
        try container.encode(peak, forKey: .gemmGigaflopsPerSecond)
        try container.encode(gigaflopsPerSecond, forKey: .gigaflopsPerSecond)
        try container.encode(gigaflopsPerSecond / peak.median, forKey: .shareOfGemmPeak)
        try container.encode(resident, forKey: .resident)
        try container.encodeIfPresent(referenceResident, forKey: .referenceResident)
        try container.encodeIfPresent(tokensPerSecond(step), forKey: .tokensPerSecond)
    }

    func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return try encoder.encode(self) + Data("\n".utf8)
    }
}

extension BenchTrainReport {
    /// The same results for people.
    var table: String {
        let job = settings.job
        let what = job.model ?? job.base ?? ""
        var lines = [
            "\(what), ranks \(job.ranks.map(String.init).joined(separator: ",")), batches of \(job.batch)"
                + (job.length.map { " texts of \($0)" } ?? "") + ", \(job.optimizer), \(job.threads) threads",
            line("a step", step, of: stepProcessor),
        ]
        if let reference, let speed {
            lines.append(line("a step of the reference", referenceStep, of: referenceStepProcessor) + "  \(reference)")
            lines.append(
                String(
                    format:
                        "speed                      %.2f of the reference's, %.2f to %.2f by run, %.2f of the fastest runs",
                    speed, speeds.values.min() ?? 0, speeds.values.max() ?? 0, speedOfFastest ?? 0))
        }
        lines.append(
            String(
                format: "products                   %.1f MFLOP a step: %.1f GFLOP/s, %.0f%% of OpenBLAS's %.1f",
                flopsPerStep / 1e6, gigaflopsPerSecond, 100 * gigaflopsPerSecond / peak.median, peak.median))
        if let ours = tokensPerSecond(step) {
            let theirs = reference == nil ? "" : String(format: ", reference %.1f", tokensPerSecond(referenceStep) ?? 0)
            lines.append(String(format: "tokens a second            %.1f", ours) + theirs)
            let memory = referenceResident.map { String(format: ", reference %.0f MiB", $0 / 1_048_576) } ?? ""
            lines.append(String(format: "resident                   %.0f MiB", resident / 1_048_576) + memory)
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func line(_ name: String, _ series: BenchSeries, of processor: BenchSeries) -> String {
        let label = name + String(repeating: " ", count: max(1, 27 - name.count))
        return label
            + String(
                format: "%.3f ms  %.3f to %.3f  (processor %.3f ms)", series.median, series.values.min() ?? 0,
                series.values.max() ?? 0, processor.median)
    }
}
