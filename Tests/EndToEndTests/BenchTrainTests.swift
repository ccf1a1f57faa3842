import Foundation
import TestStage
import Testing

/// `rankwise-lab bench train` as its user runs it, on models of a few weights.
@Suite(.ownThread) struct BenchTrainTests {
    private struct Report: Decodable {
        struct Settings: Decodable {
            let model: String
            let ranks: [Int]
            let batch: Int
            let steps: Int
            let threads: Int
            let optimizer: String
            let momentum: Double
            let runs: Int
            let warmup: Int
        }

        struct Series: Decodable {
            let median: Double
            let lowest: Double
            let highest: Double
            let values: [Double]
        }

        let settings: Settings
        let reference: String?
        let flops_per_step: Double
        let step_milliseconds: Series
        let step_processor_milliseconds: Series
        let reference_step_milliseconds: Series?
        let reference_step_processor_milliseconds: Series?
        let speed: Double?
        let speed_by_run: Series?
        let speed_of_fastest: Double?
        let gemm_gigaflops_per_second: Series
        let gigaflops_per_second: Double
        let share_of_gemm_peak: Double
    }

    private func report(_ arguments: [String]) throws -> Report {
        let lab = try Program("rankwise-lab", ["bench", "train"] + arguments)
        let text = lab.text()
        try #require(lab.exitStatus() == 0)
        return try JSONDecoder().decode(Report.self, from: Data(text.utf8))
    }

    struct Case: Sendable {
        let model: String
        let ranks: String
        let batch: Int
        let flops: Double
    }

    // By hand, two for each product of a row and a column. MLP, batch 4: forward 4·2·(30 + 12 + 10) and 4·2·(15 + 10 + 6);
    // gradients of B, h and A 4·2·(10 + 10 + 12) and 4·2·(6 + 6 + 10); of the second layer's input 4·2·(15 + 10).
    // CNN, batch 2: W + B·A and the gradients of its factors 3·2·2·2·9; patches, forward and gradient, 2·2·2·9·32; the
    // linear layer, rank 3 from 8 to 3, 2·2·(24 + 24 + 9), 2·2·(9 + 9 + 24) and 2·2·(24 + 24).
    private static let cases = [
        Case(model: "mlp-6-5-3", ranks: "2,2", batch: 4, flops: 8 * 162),
        Case(model: "cnn-4x4x1-2k3-3", ranks: "2,3", batch: 2, flops: 216 + 2304 + 4 * 147),
    ]

    @Test(arguments: cases)
    func `a step's operations are counted, and held against the rate of a product`(_ subject: Case) throws {
        let report = try report([
            "--model", subject.model, "--ranks", subject.ranks, "--batch", "\(subject.batch)", "--steps", "3", "--runs",
            "2", "--warmup", "1",
        ])
        #expect(report.settings.model == subject.model && report.settings.batch == subject.batch)
        #expect(report.settings.steps == 3)
        #expect(report.settings.ranks.map(String.init).joined(separator: ",") == subject.ranks)
        #expect(report.settings.threads == 2 && report.settings.runs == 2 && report.settings.warmup == 1)
        #expect(report.settings.optimizer == "sgd" && report.settings.momentum == 0.9)
        #expect(report.flops_per_step == subject.flops)
        let step = report.step_milliseconds
        #expect(step.values.count == 2 && step.lowest > 0 && step.lowest <= step.median && step.median <= step.highest)
        #expect(report.step_processor_milliseconds.lowest > 0)
        #expect(report.gemm_gigaflops_per_second.values.count == 2)
        #expect(report.gigaflops_per_second.isNear(subject.flops / step.median / 1e6))
        #expect(
            report.share_of_gemm_peak.isNear(report.gigaflops_per_second / report.gemm_gigaflops_per_second.median))
        #expect(report.reference == nil && report.speed == nil && report.reference_step_milliseconds == nil)
    }

    @Test func `the speed is what the reference takes over what a step takes`() throws {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // A reference that takes two seconds for four steps, or says so.
        let script = """
            read job
            echo '{"versions": "a clock"}'
            while read run; do echo '{"total": 2.0, "processor": 3.0}'; done
            """
        try script.write(toFile: folder + "/reference", atomically: true, encoding: .utf8)
        let report = try report([
            "--model", "mlp-6-5-3", "--batch", "4", "--steps", "4", "--runs", "3", "--reference", "torch", "--python",
            "sh", "--torch-script", folder + "/reference",
        ])
        #expect(report.settings.ranks == [5, 3])
        #expect(report.reference == "a clock")
        #expect(report.reference_step_milliseconds?.values == [500, 500, 500])
        #expect(report.reference_step_processor_milliseconds?.median == 750)
        #expect(try #require(report.speed).isNear(500 / report.step_milliseconds.median))
        #expect(try #require(report.speed_of_fastest).isNear(500 / report.step_milliseconds.lowest))
        #expect(try #require(report.speed_by_run).values.count == 3)
    }

    @Test(arguments: [
        ["--model", "rnn-3"], ["--model", "mlp-6-5-3", "--ranks", "2"], ["--base", "/nowhere"], ["--runs", "0"],
        ["--length", "1"],
    ])
    func `what cannot be trained is refused`(arguments: [String]) throws {
        #expect(try Program("rankwise-lab", ["bench", "train"] + arguments).exitStatus() != 0)
    }
}

extension Double {
    /// But for what a decimal fraction loses.
    fileprivate func isNear(_ other: Double) -> Bool { abs(self - other) <= 1e-9 * abs(other) }
}
