import AdapterFormat
import LinearAlgebra
import Testing

@testable import Aggregation

/// Strategies whose rounds differ: a falling rank, a sparse first stage, drawn factors.
struct ScheduleTests {
    private let shape: AdapterShape
    private let module = ModuleShape(name: "m", inputs: 5, outputs: 4, maximumRank: 4)

    init() throws { shape = try AdapterShape(modules: [module]) }

    private func run(
        _ strategy: Strategy, _ contributions: [Contribution], round: Int, previous: (any AdapterSource)? = nil
    ) throws -> MemoryRound {
        var result = MemoryRound()
        try Aggregator(strategy: strategy, shape: shape, scaling: .lora(alpha: 8), seed: 11).aggregate(
            contributions, round: round,
            after: EarlierRound(previous: previous, initial: InitialAdapter(seed: 11)), threads: 2, into: &result)
        return result
    }

    @Test func `rows above the round's rank are dropped`() throws {
        let strategy = try Strategy(
            named: "sa-fedlora", parameters: ["warmup_rounds": .number(1), "cooling": .number(0.5)])
        let update = try adapterFile([
            ("m.lora_A.weight", [2, 5], [Float](repeating: 1, count: 10)),
            ("m.lora_B.weight", [4, 2], [Float](repeating: 1, count: 8)),
        ])
        let previous = MemoryAdapter(modules: ["m": InitialAdapter(seed: 1).draw(module, rank: 4)])
        let result = try run(
            strategy, [Contribution(client: "a", adapter: update, samples: 1)], round: 2, previous: previous)
        let factors = try #require(result.adapter.modules["m"])
        #expect(factors.rank == 2)
        #expect(result.outline?.shape[module: "m"]?.maximumRank == 2)
        // B stays at the scale of the maximum rank: 8/2 over 8/4.
        #expect(factors.b == [Float](repeating: 2, count: 8))
        let above = try adapterFile([
            ("m.lora_A.weight", [3, 5], [Float](repeating: 1, count: 15)),
            ("m.lora_B.weight", [4, 3], [Float](repeating: 1, count: 12)),
        ])
        #expect(throws: AdapterError.rankAboveGrant(tensor: "m.lora_A.weight", granted: 2, found: 3)) {
            try strategy.validate(above, shape: shape, ranks: ["m": 2], round: 2)
        }
    }

    @Test func `the sparse stage averages kept weights and ends in their best factors`() throws {
        let strategy = try Strategy(
            named: "slora", parameters: ["sparse_rounds": .number(2), "density": .number(0.3)])
        let tensor = strategy.sparseTensor(of: module)
        #expect(tensor.name == "m.sparse_delta")
        #expect(tensor.shape == [6])
        func update(_ value: Float) throws -> Contribution {
            Contribution(
                client: "c\(value)",
                adapter: try adapterFile([
                    ("m.sparse_delta", [6], (0..<6).map { value * Float($0 + 1) })
                ]), samples: 1)
        }
        let contributions = [try update(1), try update(3)]
        for contribution in contributions {
            try strategy.validate(contribution.open(), shape: shape, ranks: [:], round: 1)
        }
        let first = try run(strategy, contributions, round: 1)
        #expect(first.adapter.modules.isEmpty)
        #expect(first.adapter.dense["m.sparse_delta"] == [2, 4, 6, 8, 10, 12])
        let last = try run(strategy, contributions, round: 2, previous: first.adapter)
        #expect(last.adapter.dense.isEmpty)
        let factors = try #require(last.adapter.modules["m"])
        #expect(factors.rank == 4)
        // Rank 4 holds a 4 × 5 matrix whole.
        let mask = SparseMask(seed: 11, module: "m", outputs: 4, inputs: 5, density: 0.3)
        var expected = [Float](repeating: 0, count: 20)
        for (index, value) in zip(mask.indices, [2, 4, 6, 8, 10, 12] as [Float]) { expected[index] = value }
        for row in 0..<4 {
            for column in 0..<5 {
                let value = (0..<4).reduce(Float(0)) {
                    $0 + 2 * factors.b[$1 * 4 + row] * factors.a[$1 * 5 + column]
                }
                #expect(abs(value - expected[row * 5 + column]) < 1e-4)
            }
        }
        let model = try #require(
            try strategy.sparseProduct(
                of: module, values: [2, 4, 6, 8, 10, 12], seed: 11, rankLimit: 4))
        #expect(model.rank <= 4)
        let factored = try adapterFile([
            ("m.lora_A.weight", [1, 5], [1, 1, 1, 1, 1]), ("m.lora_B.weight", [4, 1], [1, 1, 1, 1]),
        ])
        try strategy.validate(factored, shape: shape, ranks: [:], round: 3)
        #expect(throws: AdapterError.unknownModule(tensor: "m.lora_A.weight", module: "m")) {
            try strategy.validate(factored, shape: shape, ranks: [:], round: 2)
        }
        #expect(
            throws: AdapterError.noFactor(
                tensor: "m.sparse_delta", expected: "base_model.model.m.lora_A.weight")
        ) {
            try strategy.validate(contributions[0].open(), shape: shape, ranks: [:], round: 3)
        }
    }

    @Test func `a fresh adapter is drawn from the seed and the round, its B zero`() throws {
        let update = try adapterFile([
            ("m.lora_A.weight", [1, 5], [1, 1, 1, 1, 1]), ("m.lora_B.weight", [4, 1], [1, 1, 1, 1]),
        ])
        let contributions = [Contribution(client: "a", adapter: update, samples: 1)]
        for name in ["flora", "rac-lora"] {
            let previous = MemoryAdapter(modules: ["m": InitialAdapter(seed: 11, round: 4).draw(module, rank: 4)])
            let result = try run(try Strategy(named: name), contributions, round: 5, previous: previous)
            #expect(result.adapter.modules["m"] == InitialAdapter(seed: 11, round: 5).draw(module, rank: 4))
            #expect(result.merge["m"]?.rank == 1)
        }
    }

    @Test func `components that a product cannot fill can still learn`() throws {
        let update = try adapterFile([
            ("m.lora_A.weight", [1, 5], [1, 2, 3, 4, 5]), ("m.lora_B.weight", [4, 1], [1, 1, 1, 1]),
        ])
        let result = try run(
            try Strategy(named: "flexlora"), [Contribution(client: "a", adapter: update, samples: 1)], round: 3)
        let factors = try #require(result.adapter.modules["m"])
        #expect(factors.b[4...].allSatisfy { $0 == 0 })
        #expect(Array(factors.a[5...]) == Array(InitialAdapter(seed: 11, round: 3).draw(module, rank: 4).a[5...]))
    }
}
