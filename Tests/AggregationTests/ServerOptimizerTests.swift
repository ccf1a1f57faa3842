import AdapterFormat
import Testing

@testable import Aggregation

struct ServerOptimizerTests {
    private let module = ModuleShape(name: "m", inputs: 1, outputs: 1, maximumRank: 2)

    private func factors(_ a: [Float], _ b: [Float]) -> ModuleFactors {
        ModuleFactors(rank: a.count, inputs: 1, outputs: 1, a: a, b: b)
    }

    @Test func `momentum goes on in the direction of the rounds before`() throws {
        let optimizer = try ServerOptimizer(named: "momentum", learningRate: 0.5)
        let first = optimizer.step(to: factors([2], [0]), from: factors([1], [0]), moments: [], factors: .both)
        #expect(first.factors.a == [1.5])
        #expect(first.moments.map(\.a) == [[1]])
        let second = optimizer.step(to: first.factors, from: first.factors, moments: first.moments, factors: .both)
        #expect(second.moments.map(\.a) == [[0.9]])
        #expect(abs(second.factors.a[0] - 1.95) < 1e-6)
    }

    @Test func `adam divides by the root of the mean square`() throws {
        let optimizer = try ServerOptimizer(named: "adam", learningRate: 0.01)
        let step = optimizer.step(to: factors([3], [0]), from: factors([1], [0]), moments: [], factors: .both)
        // m = 0.2, v = 0.04
        #expect(abs(step.factors.a[0] - (1 + 0.01 * 0.2 / 0.201)) < 1e-6)
        #expect(step.moments.count == 2)
        #expect(step.factors.b == [0])
    }

    @Test func `yogi moves its squares towards the change's by a hundredth of it, whatever the distance`() throws {
        let optimizer = try ServerOptimizer(named: "yogi", learningRate: 0.01)
        let first = optimizer.step(to: factors([3], [0]), from: factors([1], [0]), moments: [], factors: .both)
        // m = 0.2, v = 0 + 0.01·4
        #expect(abs(first.factors.a[0] - (1 + 0.01 * 0.2 / 0.201)) < 1e-6)
        #expect(abs(first.moments[1].a[0] - 0.04) < 1e-7 && first.moments[1].b == [0])
        let second = optimizer.step(
            to: factors([1.1], [0]), from: factors([1], [0]), moments: first.moments, factors: .both)
        // The square 0.01 lies below 0.04: v = 0.04 − 0.01·0.01, m = 0.9·0.2 + 0.1·0.1.
        #expect(abs(second.moments[1].a[0] - 0.0399) < 1e-6)
        let expected: Double = 1 + 0.01 * 0.19 / (0.0399.squareRoot() + 0.001)
        #expect(abs(second.factors.a[0] - Float(expected)) < 1e-5)
    }

    @Test func `adagrad divides by the root of the sum of squares`() throws {
        let optimizer = try ServerOptimizer(named: "adagrad", learningRate: 0.1)
        let first = optimizer.step(to: factors([3], [0]), from: factors([1], [0]), moments: [], factors: .both)
        #expect(first.moments.map(\.a) == [[4]])
        #expect(abs(first.factors.a[0] - (1 + 0.1 * 2 / 2.001)) < 1e-6)
        let second = optimizer.step(
            to: factors([4], [0]), from: factors([1], [0]), moments: first.moments, factors: .both)
        #expect(second.moments.map(\.a) == [[13]])
        let expected: Double = 1 + 0.1 * 3 / (13.0.squareRoot() + 0.001)
        #expect(abs(second.factors.a[0] - Float(expected)) < 1e-6)
    }

    @Test func `a factor that was not trained does not move`() throws {
        let optimizer = try ServerOptimizer(named: "momentum")
        let moment = factors([1], [1])
        let step = optimizer.step(to: factors([5], [5]), from: factors([4], [4]), moments: [moment], factors: .b)
        #expect(step.factors.a == [5])
        #expect(step.moments[0].a == [1])
        #expect(step.moments[0].b == [1.9])
    }

    @Test func `a round hands the state on`() throws {
        let shape = try AdapterShape(modules: [module])
        let update = try adapterFile([("m.lora_A.weight", [2, 1], [3, 5]), ("m.lora_B.weight", [1, 2], [1, 1])])
        let aggregator = Aggregator(
            strategy: try Strategy(named: "rbla", optimizer: .momentum(rate: 1)), shape: shape, scaling: .constant(1))
        let contribution = Contribution(client: "a", adapter: update, samples: 1)
        var first = MemoryRound()
        let before = MemoryAdapter(modules: ["m": factors([1, 1], [0, 0])])
        try aggregator.aggregate(
            [contribution], round: 1, after: EarlierRound(previous: before), threads: 1, into: &first)
        #expect(first.adapter.modules["m"]?.a == [3, 5])
        #expect(first.moments.first?.modules["m"]?.a == [2, 4])
        var second = MemoryRound()
        try aggregator.aggregate(
            [contribution], round: 2, after: EarlierRound(previous: first.adapter, moments: first.moments), threads: 1,
            into: &second)
        // The mean has not moved; the momentum has: 3 + 0.9·2.
        #expect(second.adapter.modules["m"].map { abs($0.a[0] - 4.8) < 1e-5 } == true)
    }

    @Test func `what is no optimizer is refused`() {
        #expect(throws: StrategyError.unknownOptimizer("sgd")) { try ServerOptimizer(named: "sgd") }
        #expect(throws: StrategyError.self) { try ServerOptimizer(named: "adam", learningRate: 0) }
    }
}
