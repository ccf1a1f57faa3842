import AdapterFormat
import Foundation
import LinearAlgebra
import Testing

@testable import Aggregation

/// Exact sums of a round: one result for every tree of parts, and as near to the true mean as a Float can be.
struct PartialSumTests {
    private static let summed = ["fedavg", "ffa", "rbla", "rolora", "zeropad"]

    @Test(arguments: summed, [1, 2])
    func `every tree of parts publishes the same bytes`(name: String, number: Int) throws {
        let folder = try PartFolder()
        let round = try ExactRound(name, round: number, in: folder.url)
        let whole = try round.whole()
        #expect(try round.whole(threads: 3) == whole)
        #expect(whole.adapter.modules.count == 3 && whole.adapter.dense["nobody"] == [3, 4])
        var generator = SeededGenerator(seed: 2, stream: "trees")
        #expect(try round.combined([round.part([0, 1, 2, 3, 4, 5], named: "all")]) == whole)
        var regions: Set<[UInt8]> = []
        for shuffle in 0..<3 {
            let order = (0..<6).shuffled(using: &generator)
            func part(_ clients: ArraySlice<Int>) throws -> String {
                try round.part(Array(clients), named: "\(shuffle)-\(clients.startIndex)-\(clients.count)", threads: 2)
            }
            #expect(try round.combined([part(order[..<2]), part(order[2...])]) == whole)
            #expect(try round.combined([part(order[..<2])] + (2..<6).map { try part(order[$0...$0]) }) == whole)
            let east = try round.joined([part(order[..<1]), part(order[1..<3])], named: "east-\(shuffle)")
            let west = try round.joined([part(order[3..<4]), part(order[4...])], named: "west-\(shuffle)")
            #expect(try round.combined([west, east]) == whole)
            let top = try round.joined([east, west], named: "top-\(shuffle)")
            let list = try Data(contentsOf: URL(fileURLWithPath: PartialSumFile.listPath(of: top)))
            regions.insert(Array(try Data(contentsOf: URL(fileURLWithPath: top))) + Array(list))
        }
        #expect(regions == [Array(try bytes("all", folder))])
    }

    @Test(arguments: summed)
    func `a part may have its list of clients in the same file`(name: String) throws {
        let folder = try PartFolder()
        let round = try ExactRound(name, round: 1, in: folder.url)
        let one = try round.wholePart([4, 0, 2], named: "one")
        let two = try round.part([5, 1, 3], named: "two")
        #expect(!FileManager.default.fileExists(atPath: PartialSumFile.listPath(of: one)))
        #expect(try round.combined([two, one]) == round.whole())
        let file = try PartialSumFile(path: one, hasList: true)
        var clients: [String] = []
        try file.list.forEach { clients.append($0.client) }
        #expect(clients.count == 3 && file.clients.count == 3 && clients == clients.sorted())
        #expect(throws: PartialSumError.noTensor("clients")) { try PartialSumFile(path: two, hasList: true) }
        // A byte of the list that is changed is no part of it any more.
        var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: one)))
        bytes[bytes.count - 2] ^= 1
        let changed = folder.url.appending(path: "changed").path
        try Data(bytes).write(to: URL(fileURLWithPath: changed))
        #expect(throws: PartialSumError.self) { try PartialSumFile(path: changed) }
    }

    private func bytes(_ name: String, _ folder: PartFolder) throws -> Data {
        try Data(contentsOf: folder.url.appending(path: name))
            + Data(contentsOf: folder.url.appending(path: PartialSumFile.listPath(of: name)))
    }

    @Test(arguments: ["rbla", "zeropad"])
    func `a mean is within half a last place of the true one`(name: String) throws {
        var generator = SeededGenerator(seed: 12, stream: "true mean")
        let shape = try AdapterShape(modules: [ModuleShape(name: "m", inputs: 40, outputs: 2, maximumRank: 3)])
        // Numbers of 21 bits and weights of 9: sums of their products are exact in float64.
        let samples = (0..<50).map { _ in Int(generator.next() % 500) + 1 }
        let ranks = (0..<50).map { 1 + $0 % 3 }
        let values = ranks.map { rank in
            (0..<rank * 40).map { _ in Float(Int(generator.next() % (1 << 21)) - 1 << 20) * 0x1p-20 }
        }
        let contributions = try (0..<50).map { index in
            Contribution(
                client: "c\(index)",
                adapter: try adapterFile([
                    ("m.lora_A.weight", [ranks[index], 40], values[index]),
                    ("m.lora_B.weight", [2, ranks[index]], [Float](repeating: 0, count: 2 * ranks[index])),
                ]), samples: samples[index])
        }
        var result = MemoryRound()
        try Aggregator(strategy: Strategy(named: name, sum: .exact), shape: shape, scaling: .constant(1))
            .aggregate(contributions, round: 1, threads: 2, into: &result)
        let a = try #require(result.adapter.modules["m"]?.a)
        for place in a.indices {
            let holders = (0..<50).filter { values[$0].count > place }
            let sum = holders.reduce(0.0) { $0 + Double(values[$1][place]) * Double(samples[$1]) }
            let weight = Double((name == "rbla" ? holders : Array(0..<50)).reduce(0) { $0 + samples[$1] })
            #expect(abs(Double(a[place]) * weight - sum) <= Double(a[place].ulp) / 2 * weight)
        }
    }

    @Test(arguments: Strategy.names)
    func `strategies whose result is no row sum are refused with the reason`(name: String) throws {
        guard !Self.summed.contains(name) else {
            #expect(try Strategy(named: name, sum: .exact).sum == .exact)
            #expect(try Strategy(named: name, sum: .exact).projection(in: 1).rowMean != nil)
            return
        }
        let error = #expect(throws: StrategyError.self) { try Strategy(named: name, sum: .exact) }
        let reasons = ["is not a row sum", "weighs by norm", "sums rows of another rank in each round"]
        let text = try #require(error?.description)
        #expect(text.hasPrefix("\(name) cannot be summed exactly: it ") && reasons.contains(where: text.contains))
        #expect(try Strategy(named: name).sum == .float)
    }

    @Test(arguments: ["norm", "ranking"])
    func `weightings that need all updates are refused by name`(weighting: String) {
        let reason = "weighs by \(weighting), which needs an exchange between all clients' updates first"
        #expect(throws: StrategyError.exactSum(strategy: "rbla", reason: reason)) {
            try Strategy(named: "rbla", weighting: weighting, sum: .exact)
        }
    }

    @Test func `a part of clients without weight counts, and a round of such clients has no result`() throws {
        let folder = try PartFolder()
        let round = try ExactRound("rbla", in: folder.url)
        // Client 2 has no samples.
        let idle = try round.part([2], named: "idle")
        #expect(try round.combined([idle, round.part([0, 1, 3, 4, 5], named: "rest")]) == round.whole())
        #expect(throws: AggregationError.noWeight) { try round.combined([idle]) }
    }

    @Test func `quantised updates are summed as the numbers that they stand for`() throws {
        let folder = try PartFolder()
        let shape = try AdapterShape(
            modules: [ModuleShape(name: "m", inputs: 11, outputs: 7, maximumRank: 3)],
            dense: [.init(name: "head", shape: [3, 5])])
        var generator = SeededGenerator(seed: 3, stream: "exact messages")
        let files = try [MessageBits.four, .eight, nil].map { bits in
            let path = folder.url.appending(path: UUID().uuidString).path
            let descriptor = open(path, O_CREAT | O_RDWR, 0o600)
            defer { close(descriptor) }
            var writer = try AdapterWriter(shape: shape, messageBits: bits, descriptor: descriptor)
            var factors = ModuleFactors(zeroOf: shape.modules[0], rank: 3)
            for index in factors.a.indices { factors.a[index] = Float(generator.normal()) }
            for index in factors.b.indices { factors.b[index] = Float(generator.normal()) }
            try writer.take(factors, of: shape.modules[0])
            try writer.take((0..<15).map { _ in Float(generator.normal()) }, of: shape.dense[0])
            try writer.finish()
            return try AdapterFile(SafetensorsFile(path: path))
        }
        let decoded = try files.map { file in
            let module = try #require(file[module: "m"])
            let views = [module.a, module.b, file[dense: "head"]?.values].compactMap(\.self)
            return try adapterFile(views.map { ($0.name, $0.shape, $0.floats()) })
        }
        let results = try [files, decoded].map { files in
            var result = MemoryRound()
            try Aggregator(strategy: Strategy(named: "rbla", sum: .exact), shape: shape, scaling: .constant(1))
                .aggregate(
                    files.enumerated().map { Contribution(client: "c\($0)", adapter: $1, samples: 3 + $0) }, round: 1,
                    threads: 1, into: &result)
            return result
        }
        #expect(results[0] == results[1])
    }

    @Test func `a number beyond the range is refused with client, tensor, product and bound`() throws {
        let shape = try AdapterShape(modules: [ModuleShape(name: "m", inputs: 2, outputs: 1, maximumRank: 1)])
        func contribution(_ client: String, _ value: Float, samples: Int) throws -> Contribution {
            Contribution(
                client: client,
                adapter: try adapterFile([("m.lora_A.weight", [1, 2], [1, value]), ("m.lora_B.weight", [1, 1], [1])]),
                samples: samples)
        }
        func sum(_ contributions: [Contribution]) throws {
            var result = MemoryRound()
            try Aggregator(strategy: Strategy(named: "rbla", sum: .exact), shape: shape, scaling: .constant(1))
                .aggregate(contributions, round: 1, threads: 1, into: &result)
        }
        try sum([contribution("a", 1, samples: 1), contribution("b", 0x1.fffffep36, samples: 1)])
        let refusal = AggregationError.range(
            client: "b", tensor: "m.lora_A.weight", value: 0x1p37, limit: 0x1p37)
        #expect(throws: refusal) {
            try sum([contribution("a", 1, samples: 1), contribution("b", -0x1p35, samples: 4)])
        }
        let update = try adapterFile([("m.lora_A.weight", [1, 2], [1, 0x1p30]), ("m.lora_B.weight", [1, 1], [1])])
        let strategy = try Strategy(named: "rbla", sum: .exact)
        try strategy.checkRange(
            of: update, samples: 1, shape: shape, scaling: .constant(1), round: 1, mostUpdates: 255)
        let error = #expect(throws: ExactRangeError.self) {
            try strategy.checkRange(
                of: update, samples: 1, shape: shape, scaling: .constant(1), round: 1, mostUpdates: 256)
        }
        #expect(error?.tensor == "m.lora_A.weight" && error?.limit == 0x1p30)
        #expect(throws: ExactRangeError.self) {
            try strategy.checkRange(
                of: update, samples: 1 << 38, shape: shape, scaling: .constant(1), round: 1, mostUpdates: 1)
        }
        try Strategy(named: "rbla").checkRange(
            of: update, samples: 1 << 38, shape: shape, scaling: .constant(1), round: 1, mostUpdates: 256)
    }

    @Test func `parts of several rounds, and parts that share a client, are refused by name`() throws {
        let folder = try PartFolder()
        let round = try ExactRound("rbla", in: folder.url)
        let one = try round.part([0, 1], named: "one")
        func refusal(_ paths: [String]) -> PartialSumError? {
            #expect(throws: PartialSumSet.Refusal.self) { try PartialSumSet(paths: paths) }?.reason
        }
        #expect(refusal([one, try round.part([1, 2], named: "two")]) == .overlap(client: "edge-1"))
        #expect(refusal([one, one]) == .overlap(client: "edge-0"))
        let other = try round.part([2], named: "other", federation: "g")
        #expect(refusal([one, other]) == .differs(key: "federation", one: "f", other: "g"))
        let later = try ExactRound("rbla", round: 2, in: folder.url).part([2], named: "later")
        #expect(refusal([one, later]) == .differs(key: "round", one: "1", other: "2"))
        let padded = try ExactRound("zeropad", in: folder.url).part([2], named: "padded")
        #expect(refusal([one, padded]) == .differs(key: "strategy", one: "rbla", other: "zeropad"))
        let alike = try ExactRound("rbla", weighting: "uniform", in: folder.url).part([2], named: "alike")
        #expect(refusal([one, alike]) == .differs(key: "weighting", one: "samples", other: "uniform"))
        #expect(throws: PartialSumError.noParts) { try PartialSumSet(paths: []) }
        let nameless = round.contributions[0]
        #expect(throws: AggregationError.noDigest(client: "x")) {
            let contribution = Contribution(client: "x", samples: 1, open: nameless.open)
            try round.aggregator.writePart(
                of: [contribution], round: 1, in: "f", threads: 1, to: PartialSumTarget(sum: -1, clients: -1))
        }
        let moved = try Aggregator(
            strategy: Strategy(named: "rbla", optimizer: .momentum(rate: 1), sum: .exact), shape: round.shape,
            scaling: .constant(1))
        let error = #expect(throws: StrategyError.self) {
            try moved.writePart(
                of: round.contributions, round: 1, in: "f", threads: 1, to: PartialSumTarget(sum: -1, clients: -1))
        }
        #expect(error?.description.contains("is moved by the server's momentum") == true)
    }
}
