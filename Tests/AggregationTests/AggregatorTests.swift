import AdapterFormat
import Testing

@testable import Aggregation

struct AggregatorTests {
    private let shape: AdapterShape
    private let module = ModuleShape(name: "m", inputs: 2, outputs: 3, maximumRank: 2)

    init() throws {
        shape = try AdapterShape(modules: [module], dense: [.init(name: "d", shape: [2])])
    }

    /// A file whose components are (value, value) for A and (10·value) for B.
    private func update(_ components: [Float], dense: [Float]? = nil, type: ScalarType = .f32) throws -> AdapterFile {
        let rank = components.count
        let a = components.flatMap { [$0, $0] }
        let b = (0..<3).flatMap { _ in components.map { 10 * $0 } }
        var tensors: [(name: String, shape: [Int], values: [Float])] = [
            ("m.lora_A.weight", [rank, 2], a), ("m.lora_B.weight", [3, rank], b),
        ]
        if let dense { tensors.append(("d", [2], dense)) }
        return try adapterFile(tensors, type: type)
    }

    private func run(
        _ strategy: String, _ contributions: [Contribution], scaling: Scaling = .constant(1),
        previous: (any AdapterSource)? = nil, initial: (any AdapterSource)? = nil, weighting: String = "samples"
    ) throws -> MemoryAdapter {
        var result = MemoryRound()
        try Aggregator(
            strategy: Strategy(named: strategy, weighting: weighting), shape: shape, scaling: scaling
        ).aggregate(
            contributions, round: 1, after: EarlierRound(previous: previous, initial: initial), threads: 2,
            into: &result)
        return result.adapter
    }

    @Test func `padding dilutes a component that one client lacks, reaching does not`() throws {
        let contributions = [
            Contribution(client: "a", adapter: try update([4]), samples: 1),
            Contribution(client: "b", adapter: try update([8, 8]), samples: 3),
        ]
        #expect(try run("zeropad", contributions).modules["m"]?.a == [7, 7, 6, 6])
        #expect(try run("rbla", contributions).modules["m"]?.a == [7, 7, 8, 8])
        #expect(try run("rbla", contributions).modules["m"]?.b == [70, 70, 70, 80, 80, 80])
        #expect(try run("rbla", contributions, weighting: "uniform").modules["m"]?.a == [6, 6, 8, 8])
    }

    @Test func `every stored type gives the same sum of the same numbers`() throws {
        let results = try [ScalarType.f64, .f32, .f16, .bf16].map { type in
            try run(
                "rbla",
                [
                    Contribution(
                        client: "a", adapter: try update([1.5, -0.25], dense: [1, 2], type: type), samples: 1),
                    Contribution(client: "b", adapter: try update([0.5, 3], dense: [3, 4], type: type), samples: 1),
                ])
        }
        #expect(results[0].modules["m"]?.a == [1, 1, 1.375, 1.375])
        #expect(results[0].dense["d"] == [2, 3])
        #expect(results.allSatisfy { $0 == results[0] })
    }

    @Test func `B is brought to the scale of the maximum rank before it is added`() throws {
        let low = [Contribution(client: "a", adapter: try update([1]), samples: 1)]
        #expect(try run("rbla", low, scaling: .constant(3)).modules["m"]?.b == [10, 10, 10, 0, 0, 0])
        #expect(try run("rbla", low, scaling: .lora(alpha: 3)).modules["m"]?.b == [20, 20, 20, 0, 0, 0])
        let root = try #require(try run("rbla", low, scaling: .rslora(alpha: 3)).modules["m"]?.b)
        #expect(abs(root[0] - 10 * Float(2).squareRoot()) < 1e-5)
        let given = [Contribution(client: "a", adapter: try update([1]), samples: 1, scale: 4.5)]
        #expect(try run("rbla", given, scaling: .lora(alpha: 3)).modules["m"]?.b == [30, 30, 30, 0, 0, 0])
    }

    @Test func `a component that nobody reaches keeps last round's value, else version 0's, else zero`() throws {
        let low = [Contribution(client: "a", adapter: try update([1]), samples: 1)]
        let previous = MemoryAdapter(modules: ["m": try #require(try update([5, 6]).factors(of: module, rank: 2))])
        let shorter = MemoryAdapter(modules: ["m": try #require(try update([5]).factors(of: module, rank: 2))])
        let initial = MemoryAdapter(modules: ["m": try #require(try update([7, 8]).factors(of: module, rank: 2))])
        func a(_ previous: MemoryAdapter?, _ initial: MemoryAdapter?) throws -> [Float]? {
            try run("rbla", low, previous: previous, initial: initial).modules["m"]?.a
        }
        #expect(try a(previous, initial) == [1, 1, 6, 6])
        #expect(try a(shorter, initial) == [1, 1, 8, 8])
        #expect(try a(nil, initial) == [1, 1, 8, 8])
        #expect(try a(shorter, nil) == [1, 1, 0, 0])
        #expect(try a(nil, nil) == [1, 1, 0, 0])
    }

    @Test func `a client of weight zero reaches nothing`() throws {
        let previous = MemoryAdapter(modules: ["m": try #require(try update([5, 6]).factors(of: module, rank: 2))])
        let result = try run(
            "rbla",
            [
                Contribution(client: "a", adapter: try update([1]), samples: 1),
                Contribution(client: "b", adapter: try update([9, 9], dense: [9, 9]), samples: 0),
            ], previous: previous)
        #expect(result.modules["m"]?.a == [1, 1, 6, 6])
        #expect(result.dense["d"] == nil)
    }

    @Test func `a dense tensor is the mean over those that hold it, else stays`() throws {
        let contributions = [
            Contribution(client: "a", adapter: try update([1], dense: [1, 3]), samples: 1),
            Contribution(client: "b", adapter: try update([1]), samples: 5),
            Contribution(client: "c", adapter: try update([1], dense: [5, 7]), samples: 3),
        ]
        let previous = MemoryAdapter(dense: ["d": [8, 9]])
        #expect(try run("zeropad", contributions, previous: previous).dense["d"] == [4, 6])
        #expect(try run("zeropad", [contributions[1]], previous: previous).dense["d"] == [8, 9])
        #expect(try run("zeropad", [contributions[1]]).dense["d"] == nil)
    }

    @Test func `a LoRA bias is scaled and averaged with B`() throws {
        let shape = try AdapterShape(modules: [
            ModuleShape(name: "m", inputs: 2, outputs: 1, maximumRank: 2, hasBias: true)
        ])
        func file(rank: Int, bias: Float) throws -> AdapterFile {
            try adapterFile([
                ("m.lora_A.weight", [rank, 2], [Float](repeating: 1, count: 2 * rank)),
                ("m.lora_B.weight", [1, rank], [Float](repeating: 1, count: rank)),
                ("m.lora_B.bias", [1], [bias]),
            ])
        }
        var result = MemoryRound()
        try Aggregator(strategy: Strategy(named: "rbla"), shape: shape, scaling: .lora(alpha: 8)).aggregate(
            [
                Contribution(client: "a", adapter: file(rank: 1, bias: 3), samples: 1),
                Contribution(client: "b", adapter: file(rank: 2, bias: 2), samples: 3),
            ], round: 1, threads: 1, into: &result)
        #expect(result.adapter.modules["m"]?.bias == [3])
    }

    @Test func `embeddings and convolutions add up like any other factor`() throws {
        let shape = try AdapterShape(modules: [
            ModuleShape(name: "e", kind: .embedding, inputs: 3, outputs: 2, maximumRank: 1),
            ModuleShape(name: "c", kind: .conv2d(height: 2, width: 1), inputs: 4, outputs: 2, maximumRank: 1),
        ])
        func file(_ value: Float) throws -> AdapterFile {
            try adapterFile([
                ("e.lora_embedding_A", [1, 3], [value, 0, 1]), ("e.lora_embedding_B", [2, 1], [value, 2]),
                ("c.lora_A.weight", [1, 2, 2, 1], [value, 1, 2, 3]), ("c.lora_B.weight", [2, 1, 1, 1], [0, value]),
            ])
        }
        var result = MemoryRound()
        try Aggregator(strategy: Strategy(named: "fedavg"), shape: shape, scaling: .constant(1)).aggregate(
            [
                Contribution(client: "a", adapter: file(1), samples: 1),
                Contribution(client: "b", adapter: file(3), samples: 1),
            ], round: 1, threads: 1, into: &result)
        #expect(result.adapter.modules["e"]?.a == [2, 0, 1])
        #expect(result.adapter.modules["e"]?.b == [2, 2])
        #expect(result.adapter.modules["c"]?.a == [2, 1, 2, 3])
        #expect(result.adapter.modules["c"]?.b == [0, 2])
    }

    @Test func `what cannot be added up is refused`() throws {
        let one = Contribution(client: "a", adapter: try update([1]), samples: 1)
        #expect(throws: AggregationError.noContributions) { try run("rbla", []) }
        #expect(throws: AggregationError.noWeight) {
            try run("rbla", [Contribution(client: "a", adapter: one.open(), samples: 0)])
        }
        #expect(throws: AggregationError.duplicateClient("a")) { try run("rbla", [one, one]) }
        #expect(throws: AggregationError.negativeSamples(client: "b")) {
            try run("rbla", [one, Contribution(client: "b", adapter: one.open(), samples: -1)])
        }
        for scale in [0, -1, Double.nan, .infinity] {
            #expect(throws: AggregationError.scale(client: "b")) {
                try run("rbla", [Contribution(client: "b", adapter: one.open(), samples: 1, scale: scale)])
            }
        }
        let above = Contribution(client: "b", adapter: try update([1, 2, 3]), samples: 1)
        #expect(
            throws: AggregationError.adapter(
                client: "b", .rankAboveGrant(tensor: "m.lora_A.weight", granted: 2, found: 3))
        ) { try run("rbla", [one, above]) }
        #expect(
            throws: AggregationError.adapter(
                client: "a", .rankNotFull(tensor: "m.lora_A.weight", needed: 2, found: 1))
        ) { try run("fedavg", [one]) }
        let foreign = MemoryAdapter(dense: ["d": [1]])
        #expect(throws: AggregationError.earlier("d")) { try run("rbla", [one], previous: foreign) }
    }
}
