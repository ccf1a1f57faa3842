import Foundation
import TestStage
import Testing

/// `rankwise-lab reproduce` over a real data folder: runs, report, divergence.
@Suite(.ownThread) final class ReproduceCommandTests {
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try write(examples: 60, to: "train")
        try write(examples: 20, to: "t10k")
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// IDX files whose images show one bright row each, which tells the label.
    private func write(examples: Int, to name: String) throws {
        let labels: [UInt8] = (0..<examples).map { UInt8($0 % 10) }
        var pixels: [UInt8] = []
        for label in labels {
            for row in 0..<28 { pixels += [UInt8](repeating: row == 2 * Int(label) ? 255 : UInt8(row % 7), count: 28) }
        }
        let count: [UInt8] = [0, 0, 0, UInt8(examples)]
        try Data([0, 0, 8, 1] + count + labels).write(to: URL(filePath: folder + "/\(name)-labels-idx1-ubyte"))
        try Data([0, 0, 8, 3] + count + [0, 0, 0, 28, 0, 0, 0, 28] + pixels)
            .write(to: URL(filePath: folder + "/\(name)-images-idx3-ubyte"))
    }

    private func reproduce(_ options: String...) throws -> (status: Int32, output: String) {
        let program = try Program(
            [Program.builtFolder() + "/rankwise-lab", "reproduce", "rbla", "--data", folder, "--out", folder + "/runs"]
                + options,
            errors: .merged)
        let output = program.lines().joined(separator: "\n")
        return (program.exitStatus(), output)
    }

    @Test func `every run is kept and goes on, with a table and a page at the end`() throws {
        let first = try reproduce("--strategies", "rbla,full", "--seeds", "4", "--rounds", "1")
        #expect(first.status == 0)
        #expect(first.output.contains("mnist-mlp-100percent/rbla-seed4: round 1/1"))
        let again = try reproduce("--strategies", "rbla,full", "--seeds", "4", "--rounds", "2")
        #expect(again.status == 0)
        #expect(!again.output.contains("round 1/2") && again.output.contains("full-seed4: round 2/2"))
        #expect(again.output.contains("## mnist-mlp-100percent"))
        #expect(again.output.split(separator: "\n").contains { $0.hasPrefix("| `rbla` | 4 | 2 |") })
        let rows = try String(
            contentsOfFile: folder + "/runs/mnist-mlp-100percent/rbla-seed4/rounds.csv", encoding: .utf8)
        #expect(rows.split(separator: "\n").count == 3)
        let page = try String(contentsOfFile: folder + "/runs/report.html", encoding: .utf8)
        #expect(page.contains("arXiv 2408.08699") && page.contains("rbla") && page.contains("full"))
    }

    @Test func `a run that diverges is told, and the next one is played all the same`() throws {
        let played = try reproduce(
            "--strategies", "rbla,zeropad", "--seeds", "1", "--rounds", "3", "--learning-rate", "1000000")
        #expect(played.status == 1)
        for strategy in ["rbla", "zeropad"] {
            let run = "mnist-mlp-100percent-rate1000000.0/\(strategy)-seed1: "
            let told = played.output.split(separator: "\n").last { $0.hasPrefix(run) }
            #expect(told?.contains("the loss is not finite") == true)
        }
    }
}
