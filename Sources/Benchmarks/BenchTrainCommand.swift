package import ArgumentParser
import Foundation
import Training

/// `rankwise-lab bench train`: times whole training steps and compares them with PyTorch's.
package struct BenchTrainCommand: AsyncParsableCommand {
    enum Reference: String, ExpressibleByArgument, CaseIterable {
        case none
        case torch
    }

    package static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Time training steps, beside PyTorch run by run.",
        discussion: """
            A run trains one epoch on random examples, from an adapter file to an adapter file: the batch, forward, backward \
            and the optimizer, in float32 on two threads. In turn with it run the reference, as many steps of the same model \
            on batches of the same size, and OpenBLAS's product of two square matrices on two threads, which a step's \
            products are held against. Prints JSON on the standard output and a table on the other.

              rankwise-lab bench train --reference torch
              rankwise-lab bench train --model cnn-28x28x1-16k5-32k5-128-10 --reference torch
              rankwise-lab bench train --base data/minilm --steps 10 --reference torch
              rankwise-lab bench train --base model.gguf --length 256 --steps 4 --reference torch

            For a language model the lines "resident" are VmHWM of this process and of the reference's.
            """)

    @Option(help: "The base model: mlp-… or cnn-…, with LoRA on every layer.") var model = BenchTraining.paper
    @Option(
        help: """
            A pretrained model instead: the folder of a BERT encoder, with LoRA on query and value and a trained \
            classifier; or a language model's folder or GGUF file, with LoRA on all linear layers.
            """)
    var base: String?
    @Option(
        help: """
            A rank for each layer, or one for all of a pretrained model's. By default the paper's for its MLP, the smaller side \
            of each layer for other nets, 8 for a pretrained model.
            """)
    var ranks: BenchRanks?
    @Option(help: "Examples of a batch; by default 64, or 16 texts, of a language model 4.") var batch: Int?
    @Option(help: "The tokens of a text.") var length = 128
    @Option(help: "What a language model's products are computed in: float32, or bfloat16 where the processor has it.")
    var precision = ProductPrecision.float32
    @Option(help: "What the reference computes a language model in.") var referencePrecision = ProductPrecision.float32
    @Flag(help: "Let the reference compute a language model's activations again for the gradients.")
    var checkpointing = false
    @Option(help: "The most bytes of this process, in MiB, for a language model.") var memory: Int?
    @Option(help: "Training steps of a run.") var steps = 200
    @Option(help: "How many timed runs.") var runs = 9
    @Option(help: "How many runs before them.") var warmup = 1
    @Option(help: "What draws base, adapter and examples.") var seed: UInt64 = 1
    @Option(help: "What to run in turn: torch or none.") var reference = Reference.none
    @Option(help: "The Python that has PyTorch, and transformers for an encoder.") var python = "python3"
    @Option(help: "The PyTorch reference.") var torchScript = "scripts/bench_torch_train.py"

    package init() {}

    package func validate() throws {
        guard runs > 0, warmup >= 0, steps > 0, (batch ?? 1) > 0, (batch ?? 1) <= 65_536, (2...4096).contains(length)
        else {
            throw ValidationError("Runs, steps and batch are at least 1, warmup at least 0, length is 2 to 4096.")
        }
        guard steps <= 10_000_000 / (batch ?? 64) else { throw ValidationError("Those are too many examples.") }
    }

    package func run() async throws {
        let folder = NSTemporaryDirectory() + "rankwise-bench-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let report = try await measure(in: folder)
        try FileHandle.standardError.write(contentsOf: Data(report.table.utf8))
        try FileHandle.standardOutput.write(contentsOf: report.json())
    }

    private func measure(in folder: String) async throws -> BenchTrainReport {
        let training = try BenchTraining(
            model: model, base: base, ranks: ranks?.values, batch: batch, length: length, steps: steps, seed: seed,
            reference: (referencePrecision.rawValue, checkpointing),
            limits: TrainingLimits(memory: memory.map { $0 << 20 }, precision: precision) {
                FileHandle.standardError.write(Data(($0 + "\n").utf8))
            },
            folder: folder)
        let torch =
            reference == .torch
            ? try BenchScript(python: python, script: torchScript, job: training.job) : nil
        defer { torch?.stop() }
        var report = BenchTrainReport(
            settings: .init(job: training.job, runs: runs, warmup: warmup, seed: seed), machine: BenchMachine(),
            reference: torch?.versions, flopsPerStep: training.flopsPerStep)
        for run in 0..<(warmup + runs) {
            let ours = try await training.run()
            let peak = BenchPeak.gigaflopsPerSecond()
            let theirs = try torch?.run(BenchTrainReport.ReferenceTimes.self)
            if run >= warmup { report.add(ours, peak: peak, reference: theirs) }
        }
        return report
    }
}

extension ProductPrecision: ExpressibleByArgument {}
