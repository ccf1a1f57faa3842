import AdapterFormat
import Testing

@testable import Aggregation

struct OverflowTests {
    @Test(arguments: ["flexlora", "raflora", "lora-fair"])
    func `finite factors whose product is beyond a Float are an error of the round, by module`(name: String) throws {
        let shape = try AdapterShape(modules: [ModuleShape(name: "m", inputs: 2, outputs: 2, maximumRank: 1)])
        let huge = try adapterFile([
            ("m.lora_A.weight", [1, 2], [3e38, 3e38]), ("m.lora_B.weight", [2, 1], [3e38, 3e38]),
        ])
        var result = MemoryRound()
        let error = #expect(throws: AggregationError.self) {
            try Aggregator(strategy: Strategy(named: name), shape: shape, scaling: .constant(4)).aggregate(
                [Contribution(client: "a", adapter: huge, samples: 1)], round: 1, threads: 1, into: &result)
        }
        guard case .decomposition(module: "m", _) = error else {
            Issue.record("expected an error of the module's numbers, got \(error.map { "\($0)" } ?? "none")")
            return
        }
    }
}
