import AdapterFormat
import Aggregation
package import ArgumentParser
import Foundation

/// `rankwise-lab bench aggregate`: times a round's aggregation over files in the page cache.
package struct BenchAggregateCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "aggregate",
        abstract: "Time the aggregation of adapter files, beside a reference run by run.",
        discussion: """
            Makes the clients' files where they are not there, then times each run from opening them to the last byte of the \
            published files: page cache warm, no fsync. In turn with it run the reference, the same without writing, a plain \
            read of the same mapped bytes, and decoding and summing alone, of files that are open and mapped. Prints JSON on \
            the standard output and a table on the other; exits with 1 where shuffles differ.

              rankwise-lab bench aggregate --files /tmp/bench --reference torch --shuffle 10
            """)

    @Option(help: "The name of the strategy.") var strategy = "rbla"
    @Option(help: "How means are added up: float or exact.") var sum = "float"
    @Option(help: "A robust rule and its parameters, such as trimmed or krum:byzantine=4,keep=8.")
    var robust: BenchRule?
    @Option(help: "How many clients there are.") var clients = 32
    @Option(help: "The clients' ranks, taken in turn; the highest is the adapter's.") var ranks = BenchRanks()
    @Option(help: "Modules × inputs × outputs; by default LLaMA-7B's q_proj and v_proj.") var shape = BenchShape()
    @Option(help: "The type of the files' numbers: F32, F16 or BF16.") var dtype = "F32"
    @Option(help: "How many threads add up modules.") var threads = 2
    @Option(help: "How many timed runs.") var runs = 9
    @Option(help: "How many runs before them.") var warmup = 1
    @Option(help: "Where the clients' files are, or are to be kept; without it they are deleted in the end.")
    var files: String?
    @Option(help: "What draws the files' numbers.") var seed: UInt64 = 1
    @Flag(help: "Let all clients be near a common start, as after a round of training.") var commonStart = false
    @Option(
        help:
            "What to run in turn: torch, torch-by-client, copy, float (the same with sum float), plain (the same without a robust rule) or none."
    )
    var reference = BenchReference.Kind.none
    @Option(help: "The Python that has PyTorch.") var python = "python3"
    @Option(help: "The PyTorch reference.") var torchScript = "scripts/bench_torch.py"
    @Option(help: "How many shuffles of the contributions, in turn on 1 and 2 threads, must give the same digest.")
    var shuffle = 0

    package init() {}

    package func validate() throws {
        guard ScalarType(rawValue: dtype)?.isPublishable == true else {
            throw ValidationError("--dtype is F32, F16 or BF16.")
        }
        guard SumKind(rawValue: sum) != nil else { throw ValidationError("--sum is float or exact.") }
        guard clients > 0, threads > 0, runs > 0, warmup >= 0, shuffle >= 0 else {
            throw ValidationError("Clients, threads and runs are at least 1, other counts at least 0.")
        }
    }

    package func run() throws {
        let folder = files ?? NSTemporaryDirectory() + "rankwise-bench-\(UUID().uuidString)"
        defer { if files == nil { try? FileManager.default.removeItem(atPath: folder) } }
        let report = try measure(in: folder)
        try FileHandle.standardError.write(contentsOf: Data(report.table.utf8))
        try FileHandle.standardOutput.write(contentsOf: report.json())
        if report.shuffles?.isSame == false { throw ExitCode.failure }
    }

    private func measure(in folder: String) throws -> BenchReport {
        guard let type = ScalarType(rawValue: dtype) else { throw ValidationError("--dtype is F32, F16 or BF16.") }
        let cohort = BenchCohort(
            folder: folder, shape: shape, ranks: ranks.values, type: type, seed: seed, commonStart: commonStart)
        let inputs = try cohort.prepare(clients: clients, threads: threads)
        let round = try benchRound(of: inputs, cohort, sum: SumKind(rawValue: sum) ?? .float, robust: robust?.rule)
        let ours = folder + "/published"
        let theirs = folder + "/reference"
        let reference = try BenchReference(
            reference, inputs: inputs, rank: cohort.rank, threads: threads, out: theirs,
            python: python, script: torchScript, other: benchRound(of: inputs, cohort, sum: .float, robust: nil))
        defer { reference.stop() }

        var report = BenchReport(
            settings: .init(
                strategy: strategy, sum: sum, robust: robust?.text, clients: clients, ranks: ranks.values,
                modules: shape.modules,
                inputs: shape.inputs,
                outputs: shape.outputs, dtype: dtype, threads: threads, runs: runs, warmup: warmup, seed: seed,
                commonStart: commonStart),
            machine: BenchMachine(), reference: reference.name, inputBytes: inputs.reduce(0) { $0 + $1.byteCount })
        let memory = MemorySampler()
        for run in 0..<(warmup + runs) {
            try FileManager.default.remakeFolder(ours)
            memory.start()
            let total = try BenchTimes { try round.publish(into: ours, threads: threads) }
            let anonymous = memory.stop()
            try FileManager.default.remakeFolder(theirs)
            report.publishedBytes = try FileManager.default.byteCount(ofFolder: ours)
            let other = try reference.run(publishedBytes: report.publishedBytes)
            let sum = try BenchTimes { try round.sum(threads: threads) }
            let files = try inputs.map {
                try AdapterFile(SafetensorsFile(TensorStorage(mapping: $0.path, keepsDescriptor: false)))
            }
            let reading = try ReadPass(files, threads: threads)
            let sumAlone = try BenchTimes { try round.sum(of: files, threads: threads) }
            if run >= warmup {
                report.add(
                    total: total, sum: sum, sumAlone: sumAlone, reading: reading, reference: other,
                    anonymous: anonymous)
            }
        }
        report.products = try robust?.rule.products(of: cohort, clients: clients)
        report.digest = try digest(ofFolder: ours)
        if reference.isComparable { report.difference = try round.difference(between: ours, and: theirs) }
        if shuffle > 0 { report.shuffles = try shuffles(of: round, expected: report.digest, in: ours) }
        try FileManager.default.removeItem(atPath: ours)
        try FileManager.default.removeItem(atPath: theirs)
        return report
    }

    private func benchRound(
        of inputs: [BenchCohort.Input], _ cohort: BenchCohort, sum: SumKind, robust: RobustRule?
    ) throws -> BenchRound {
        let parameters = Strategy.parametersForAnyRank(named: strategy)
        return try BenchRound(
            strategy: Strategy(named: strategy, parameters: parameters, sum: sum, robust: robust), inputs: inputs,
            cohort: cohort)
    }

    private func shuffles(of round: BenchRound, expected: String, in folder: String) throws -> BenchReport.Shuffles {
        var round = round
        var same = 0
        for turn in 0..<shuffle {
            round.shuffle(seed: seed &+ UInt64(turn))
            try FileManager.default.remakeFolder(folder)
            try round.publish(into: folder, threads: 1 + turn % 2)
            same += try digest(ofFolder: folder) == expected ? 1 : 0
        }
        return .init(runs: shuffle, threads: [1, 2], same: same)
    }
}

/// The duration of a call.
package struct BenchTimes {
    let seconds: Double
    /// The processor time of all threads of this process. Other load on the machine affects it least.
    let processorSeconds: Double

    package init(_ body: () throws -> Void) rethrows {
        let before = Self.processorSeconds()
        seconds = try ContinuousClock().measure(body) / .seconds(1)
        processorSeconds = Self.processorSeconds() - before
    }

    init(_ body: () async throws -> Void) async rethrows {
        let before = Self.processorSeconds()
        seconds = try await ContinuousClock().measure(body) / .seconds(1)
        processorSeconds = Self.processorSeconds() - before
    }

    private static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
