import AdapterFormat
import Foundation
import LinearAlgebra
import Testing

@testable import Aggregation

struct QuantisedUpdateTests {
    /// Writes an adapter of random numbers and reads it again.
    private func update(
        _ shape: AdapterShape, _ messageBits: MessageBits?, _ generator: inout SeededGenerator, in folder: URL
    ) throws -> AdapterFile {
        let url = folder.appending(path: UUID().uuidString)
        let descriptor = open(url.path, O_CREAT | O_RDWR, 0o600)
        #expect(descriptor >= 0)
        defer { close(descriptor) }
        var writer = try AdapterWriter(shape: shape, messageBits: messageBits, descriptor: descriptor)
        for module in shape.modules {
            var factors = ModuleFactors(zeroOf: module, rank: module.maximumRank)
            for index in factors.a.indices { factors.a[index] = Float(generator.normal()) }
            for index in factors.b.indices { factors.b[index] = Float(generator.normal()) }
            try writer.take(factors, of: module)
        }
        for tensor in shape.dense {
            try writer.take((0..<tensor.elementCount).map { _ in Float(generator.normal()) }, of: tensor)
        }
        try writer.finish()
        return try AdapterFile(SafetensorsFile(path: url.path))
    }

    /// The same adapter in plain numbers.
    private func decoded(_ file: AdapterFile) throws -> AdapterFile {
        var tensors: [(name: String, shape: [Int], values: [Float])] = []
        for module in file.modules {
            for view in [module.a, module.b].compactMap(\.self) {
                tensors.append((view.name, view.shape, view.floats()))
            }
        }
        for tensor in file.dense { tensors.append((tensor.name, tensor.values.shape, tensor.values.floats())) }
        return try adapterFile(tensors)
    }

    @Test func `quantised updates add up as the numbers that they stand for`() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var generator = SeededGenerator(seed: 8, stream: "quantised updates")
        let shape = try AdapterShape(
            modules: [
                ModuleShape(name: "one", inputs: 37, outputs: 21, maximumRank: 7),
                ModuleShape(
                    name: "two", kind: .conv2d(height: 3, width: 3), inputs: 27, outputs: 8, maximumRank: 5),
            ], dense: [.init(name: "head", shape: [3, 11]), .init(name: "offsets", shape: [5])])
        let files = try [MessageBits.eight, .four, nil, .eight, .four].map { bits in
            try update(shape.withRanks { $0.maximumRank - (bits == .four ? 2 : 0) }, bits, &generator, in: folder)
        }
        let published = try [files, files.map(decoded)].map { files in
            var result = MemoryRound()
            try Aggregator(strategy: Strategy(named: "rbla"), shape: shape, scaling: .lora(alpha: 16)).aggregate(
                files.enumerated().map { Contribution(client: "c\($0)", adapter: $1, samples: 1 + $0) }, round: 1,
                threads: 2, into: &result)
            return result
        }
        #expect(files[0].modules[0].a?.messageBits == .eight && files[1].dense[0].values.messageBits == .four)
        #expect(published[0] == published[1])
        #expect(published[0].adapter.modules.count == 2 && published[0].adapter.dense.count == 2)
    }
}
