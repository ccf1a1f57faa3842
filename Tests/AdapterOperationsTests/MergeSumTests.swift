import AdapterFormat
import Foundation
import LinearAlgebra
import Testing

@testable import AdapterOperations

/// Sums of merges on real files, in a folder that goes with the test.
@Suite final class MergeSumTests {
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private var sumPath: String { folder + "/merge.safetensors" }

    /// A merge of these modules, its numbers drawn from `seed`.
    private func merge(_ modules: [ModuleShape], seed: UInt64, dense: [AdapterShape.Dense] = []) throws -> String {
        let path = folder + "/addition-\(seed).safetensors"
        let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
        defer { close(descriptor) }
        let shape = try AdapterShape(modules: modules, dense: dense)
        var writer = try AdapterWriter(shape: shape, descriptor: descriptor)
        var generator = SeededGenerator(seed: seed, stream: "merge")
        for module in shape.modules {
            var factors = ModuleFactors(zeroOf: module, rank: module.maximumRank)
            for index in factors.a.indices { factors.a[index] = generator.uniform(within: 1) }
            for index in factors.b.indices { factors.b[index] = generator.uniform(within: 1) }
            if module.hasBias { factors.bias = (0..<module.outputs).map { Float($0) + Float(seed) } }
            try writer.take(factors, of: module)
        }
        for tensor in shape.dense { try writer.take([Float](repeating: 1, count: tensor.elementCount), of: tensor) }
        try writer.finish()
        return path
    }

    private func linear(_ name: String, rank: Int, inputs: Int = 4, outputs: Int = 6) -> ModuleShape {
        ModuleShape(name: name, inputs: inputs, outputs: outputs, maximumRank: rank)
    }

    /// B·A of a module, row-major; empty where the file lacks it.
    private func product(_ path: String, _ module: String) throws -> [Double] {
        let file = try AdapterFile(try SafetensorsFile(path: path))
        guard let factors = file[module: module].flatMap(ModuleFactors.init) else { return [] }
        return (0..<factors.outputs).flatMap { output in
            (0..<factors.inputs).map { input in
                (0..<factors.rank).reduce(0.0) {
                    $0 + Double(factors.b[$1 * factors.outputs + output])
                        * Double(factors.a[$1 * factors.inputs + input])
                }
            }
        }
    }

    private func rank(_ module: String) throws -> Int? {
        try AdapterFile(try SafetensorsFile(path: sumPath))[module: module]?.rank
    }

    @Test func `merges of different modules and ranks add up, exactly while their ranks do`() throws {
        let first = try merge([linear("fc1", rank: 1), linear("fc2", rank: 3)], seed: 1)
        let second = try merge([linear("fc1", rank: 2), linear("fc3", rank: 1)], seed: 2)
        _ = try MergeSum(of: [first], round: 1, to: sumPath)
        let sum = try MergeSum(of: [sumPath, second], round: 3, to: sumPath)
        #expect(sum.round == 3)
        #expect(MergeSum(path: sumPath) == sum)
        #expect(try rank("fc1") == 3)
        let added = zip(try product(first, "fc1"), try product(second, "fc1")).map(+)
        #expect(zip(try product(sumPath, "fc1"), added).allSatisfy { abs($0 - $1) < 1e-12 })
        #expect(try product(sumPath, "fc2") == product(first, "fc2"))
        #expect(try product(sumPath, "fc3") == product(second, "fc3"))
    }

    @Test func `a stack that outgrows its matrix is decomposed and stays the same product`() throws {
        var expected = [Double](repeating: 0, count: 24)
        for round in 1...5 {
            let addition = try merge([linear("fc1", rank: 3)], seed: UInt64(round))
            expected = zip(expected, try product(addition, "fc1")).map(+)
            _ = try MergeSum(of: round == 1 ? [addition] : [sumPath, addition], round: round, to: sumPath)
            #expect(try rank("fc1") == min(3 * round, 4))
        }
        #expect(zip(try product(sumPath, "fc1"), expected).allSatisfy { abs($0 - $1) < 1e-5 })
    }

    @Test func `embeddings, convolutions and biases keep their kinds`() throws {
        let modules = [
            ModuleShape(name: "words", kind: .embedding, inputs: 9, outputs: 5, maximumRank: 2),
            ModuleShape(name: "conv", kind: .conv2d(height: 2, width: 2), inputs: 8, outputs: 6, maximumRank: 4),
            ModuleShape(name: "biased", inputs: 3, outputs: 3, maximumRank: 1, hasBias: true),
        ]
        let files = [try merge(modules, seed: 1), try merge(modules, seed: 2)]
        _ = try MergeSum(of: files, round: 2, to: sumPath)
        let file = try AdapterFile(try SafetensorsFile(path: sumPath))
        #expect(file[module: "words"]?.isEmbedding == true)
        #expect(file[module: "conv"]?.a?.shape == [6, 2, 2, 2])
        #expect(file[module: "biased"]?.bias?.floats() == [3, 5, 7])
    }

    @Test func `what is no sum is not taken for one`() throws {
        #expect(MergeSum(path: sumPath) == nil)
        #expect(MergeSum(path: try merge([linear("fc1", rank: 1)], seed: 1)) == nil)
        try Data("not a file of tensors".utf8).write(to: URL(fileURLWithPath: sumPath))
        #expect(MergeSum(path: sumPath) == nil)
    }

    @Test func `a merge that does not fit is named, and what was there stays`() throws {
        let first = try merge([linear("fc1", rank: 1)], seed: 1)
        let sum = try MergeSum(of: [first], round: 1, to: sumPath)
        let wider = try merge([linear("fc1", rank: 1, inputs: 5)], seed: 2)
        #expect(
            throws: AdapterFileError.adapter(
                file: wider, reason: "fc1 is linear from 5 to 6; the merges before have linear from 4 to 6")
        ) { try MergeSum(of: [sumPath, wider], round: 2, to: sumPath) }
        let dense = try merge(
            [linear("fc1", rank: 1)], seed: 3, dense: [AdapterShape.Dense(name: "head.weight", shape: [2])])
        #expect(
            throws: AdapterFileError.adapter(
                file: dense, reason: "head.weight came; a merge has LoRA factors alone")
        ) { try MergeSum(of: [sumPath, dense], round: 2, to: sumPath) }
        #expect(throws: AdapterFileError.self) { try MergeSum(of: [folder + "/absent"], round: 2, to: sumPath) }
        #expect(MergeSum(path: sumPath) == sum)
    }

    @Test func `a message comes back as it went but for half a step`() throws {
        let plain = try merge([linear("fc1", rank: 3), linear("fc2", rank: 2)], seed: 1)
        for bits in MessageBits.allCases {
            try AdapterMessage.rewrite(plain, to: folder + "/quantised", bits: bits)
            try AdapterMessage.rewrite(folder + "/quantised", to: folder + "/back")
            let (sent, came) = (try SafetensorsFile(path: plain), try SafetensorsFile(path: folder + "/back"))
            #expect(Set(came.tensors.map(\.name)) == Set(sent.tensors.map(\.name)))
            for tensor in sent.tensors {
                #expect(try SafetensorsFile(path: folder + "/quantised")[tensor.name]?.messageBits == bits)
                let back = came[tensor.name]
                #expect(back?.shape == tensor.shape && back?.messageBits == nil)
                // The numbers lie in (-1, 1), so a step is at most 2/(2ᵇ − 1).
                let half = 1.001 / Float(bits.levels)
                #expect(zip(tensor.floats(), back?.floats() ?? []).allSatisfy { abs($0 - $1) <= half })
            }
        }
    }
}
