import AdapterFormat
import LinearAlgebra
import Testing

@testable import Aggregation

struct DeterminismTests {
    @Test(
        arguments: [
            ("rbla", "samples"), ("zeropad", "norm"), ("rbla", "ranking"), ("flora", "samples"),
            ("flexlora", "uniform"),
            ("lora-fair", "samples"),
        ])
    func `the same updates give the same bytes on any number of threads and in any order`(
        name: String, weighting: String
    ) throws {
        var generator = SeededGenerator(seed: 5, stream: "determinism")
        let shape = try AdapterShape(
            modules: (0..<7).map {
                ModuleShape(name: "m\($0)", inputs: 30 + $0, outputs: 17 * ($0 + 1), maximumRank: 6)
            }, dense: [.init(name: "d", shape: [5, 9])])
        var contributions: [Contribution] = []
        for index in 0..<12 {
            var tensors: [(name: String, shape: [Int], values: [Float])] = [
                ("d", [5, 9], (0..<45).map { _ in Float(generator.normal()) })
            ]
            for module in shape.modules where (index + module.inputs) % 5 != 0 {
                let rank = 1 + index % 6
                for (name, shape) in [
                    (module.nameOfA.peft, module.shapeOfA(rank: rank)),
                    (module.nameOfB.peft, module.shapeOfB(rank: rank)),
                ] {
                    tensors.append((name, shape, (0..<shape.reduce(1, *)).map { _ in Float(generator.normal()) }))
                }
            }
            contributions.append(
                Contribution(
                    client: "edge-\(index)",
                    adapter: try adapterFile(tensors, type: [.f32, .f16, .bf16, .f64][index % 4]),
                    samples: Int(generator.next() % 1000) + 1, accuracy: Double(index % 5) / 5))
        }
        var reference: MemoryRound?
        for threads in [1, 2, 3, 8] {
            for _ in 0..<5 {
                contributions.shuffle(using: &generator)
                var result = MemoryRound()
                try Aggregator(
                    strategy: Strategy(named: name, weighting: weighting), shape: shape, scaling: .lora(alpha: 16),
                    seed: 3
                ).aggregate(
                    contributions, round: 1, after: EarlierRound(initial: InitialAdapter(seed: 1)), threads: threads,
                    into: &result)
                #expect(result == reference ?? result)
                reference = result
            }
        }
        #expect(reference?.adapter.modules.count == 7)
    }
}
