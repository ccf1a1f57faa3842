import AdapterFormat
import Foundation
import LinearAlgebra
import Testing

@testable import Aggregation

/// A small round of six clients with unequal ranks, types and modules, to be summed in parts.
struct ExactRound {
    let folder: URL
    let strategy: Strategy
    let shape: AdapterShape
    let round: Int
    private(set) var contributions: [Contribution] = []
    private(set) var previous = MemoryAdapter()

    init(_ name: String, weighting: String? = nil, round: Int = 1, in folder: URL) throws {
        self.folder = folder
        self.round = round
        strategy = try Strategy(named: name, weighting: weighting, sum: .exact)
        shape = try AdapterShape(
            modules: [
                ModuleShape(name: "m", inputs: 9, outputs: 6, maximumRank: 5, hasBias: true),
                ModuleShape(name: "c", kind: .conv2d(height: 2, width: 2), inputs: 8, outputs: 3, maximumRank: 4),
                ModuleShape(name: "e", kind: .embedding, inputs: 7, outputs: 4, maximumRank: 3, alpha: 3),
            ], dense: [.init(name: "head", shape: [3, 5]), .init(name: "nobody", shape: [2])])
        var generator = SeededGenerator(seed: 21, stream: "exact round", name)
        for index in 0..<6 {
            var tensors: [(name: String, shape: [Int], values: [Float])] = []
            func add(_ name: String, _ shape: [Int]) {
                tensors.append((name, shape, (0..<shape.reduce(1, *)).map { _ in Float(generator.normal()) }))
            }
            for module in shape.modules where module.name != "c" || index % 3 != 1 {
                // Nobody reaches the last row, except where all must.
                let rank = name == "fedavg" ? module.maximumRank : 1 + index % (module.maximumRank - 1)
                add(module.nameOfA.peft, module.shapeOfA(rank: rank))
                add(module.nameOfB.peft, module.shapeOfB(rank: rank))
                if module.hasBias { add(module.nameOfBias.peft, [module.outputs]) }
            }
            if index % 2 == 0 { add("base_model.model.head", [3, 5]) }
            contributions.append(
                Contribution(
                    client: "edge-\(index)", adapter: try adapterFile(tensors, type: [.f32, .f16, .bf16][index % 3]),
                    samples: [600, 7, 0, 150, 33, 1][index],
                    discount: index == 3 ? Contribution.stalenessDiscount(age: 2) : 1,
                    digest: String(repeating: "\(index)", count: 64)))
        }
        for module in shape.modules {
            var factors = ModuleFactors(zeroOf: module, rank: module.maximumRank)
            for index in factors.a.indices { factors.a[index] = Float(generator.normal()) }
            for index in factors.b.indices { factors.b[index] = Float(generator.normal()) }
            previous.modules[module.name] = factors
        }
        previous.dense["nobody"] = [3, 4]
    }

    var aggregator: Aggregator { Aggregator(strategy: strategy, shape: shape, scaling: .lora(alpha: 16)) }

    /// What one sum of all clients publishes.
    func whole(threads: Int = 1) throws -> MemoryRound {
        var result = MemoryRound()
        try aggregator.aggregate(
            contributions, round: round, after: EarlierRound(previous: previous), threads: threads, into: &result)
        return result
    }

    /// Writes the part of some clients and gives its path.
    func part(_ clients: [Int], named name: String, threads: Int = 1, federation: String = "f") throws -> String {
        try write(name) {
            try aggregator.writePart(
                of: clients.map { contributions[$0] }, round: round, in: federation, threads: threads, to: $0)
        }
    }

    /// The same, with the list of clients in the sum's own file.
    func wholePart(_ clients: [Int], named name: String) throws -> String {
        let path = folder.appending(path: name).path
        let sum = try Self.descriptor(path)
        defer { close(sum) }
        try aggregator.writePart(
            of: clients.map { contributions[$0] }, round: round, in: "f", threads: 2, to: PartialSumTarget(sum: sum))
        return path
    }

    /// Combines parts to another part.
    func joined(_ parts: [String], named name: String) throws -> String {
        try write(name) { try PartialSumSet(paths: parts).write(to: $0, threads: 2) }
    }

    /// What parts publish together.
    func combined(_ parts: [String]) throws -> MemoryRound {
        var result = MemoryRound()
        try PartialSumSet(paths: parts).publish(after: EarlierRound(previous: previous), threads: 2, into: &result)
        return result
    }

    private func write(_ name: String, _ body: (PartialSumTarget) throws -> Void) throws -> String {
        let path = folder.appending(path: name).path
        let (sum, clients) = (try Self.descriptor(path), try Self.descriptor(PartialSumFile.listPath(of: path)))
        defer {
            close(sum)
            close(clients)
        }
        try body(PartialSumTarget(sum: sum, clients: clients))
        return path
    }

    private static func descriptor(_ path: String) throws -> Int32 {
        let descriptor = open(path, O_CREAT | O_RDWR | O_TRUNC, 0o600)
        try #require(descriptor >= 0)
        return descriptor
    }
}

/// A folder that goes with its owner.
final class PartFolder {
    let url = FileManager.default.temporaryDirectory.appending(path: "rankwise-\(UUID().uuidString)")

    init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(at: url) }
}
