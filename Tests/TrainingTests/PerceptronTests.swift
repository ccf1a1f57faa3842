import AdapterFormat
import AdapterOperations
import Glibc
import LinearAlgebra
import Testing
import TrainingData

@testable import Training

@Suite struct PerceptronTests {
    private static let rows = 4

    private static let shape = Result { try PerceptronShape(name: "mlp-5-6-3") }
    private static let examples: DataSet = {
        var generator = SeededGenerator(seed: 9, stream: "examples")
        return DataSet(
            width: 5, features: (0..<rows * 5).map { _ in generator.uniform(within: 1) },
            labels: (0..<rows).map { $0 % 3 })
    }()

    /// A model of two layers with LoRA of rank 3 and 2 on them, its factors random.
    private static func model() throws -> (Perceptron, PerceptronBase) {
        var generator = SeededGenerator(seed: 9, stream: "test")
        func draw(_ count: Int) -> [Float] { (0..<count).map { _ in generator.uniform(within: 1) } }
        let base = PerceptronBase(shape: try shape.get(), seed: 3)
        let layers = base.layers.enumerated().map { index, layer in
            let rank = 3 - index
            let factors = ModuleFactors(
                rank: rank, inputs: layer.inputs, outputs: layer.outputs, a: draw(rank * layer.inputs),
                b: draw(rank * layer.outputs))
            return AdaptedLayer(layer, lora: LoRALayer(factors, scale: 0.5))
        }
        return (try model(base, layers), base)
    }

    private static func model(_ base: PerceptronBase, _ layers: [AdaptedLayer]) throws -> Perceptron {
        try base.model(layers, dense: [], settings: TrainingSettings(), batchLimit: rows)
    }

    /// The mean loss and the penalty, in double precision and without matrices.
    private static func reference(_ model: Perceptron, _ base: PerceptronBase, penalty: Double) -> Double {
        var loss = 0.0
        for (row, label) in examples.labels.enumerated() {
            var values = (0..<5).map { Double(examples.features[row * 5 + $0]) }
            for (index, layer) in model.layers.enumerated() {
                values = (0..<layer.outputs).map { output in
                    var sum = Double(base.biases[index].floats[output])
                    for column in 0..<layer.inputs {
                        sum += Double(layer.frozen.weight.floats[output * layer.inputs + column]) * values[column]
                    }
                    if let adapter = layer.lora {
                        for component in 0..<adapter.rank {
                            var hidden = 0.0
                            for column in 0..<layer.inputs {
                                hidden +=
                                    Double(adapter.a.values.floats[component * layer.inputs + column]) * values[column]
                            }
                            sum +=
                                Double(adapter.scale) * hidden
                                * Double(adapter.b.values.floats[component * layer.outputs + output])
                        }
                    }
                    return index == 0 ? max(sum, 0) : sum
                }
            }
            let highest = values.max() ?? 0
            loss += logSum(values.map { $0 - highest }) + highest - values[label]
        }
        return loss / Double(rows) + penalty * model.layers.reduce(0) { $0 + squaredProduct($1.lora) }
    }

    private static func logSum(_ values: [Double]) -> Double { log(values.reduce(0) { $0 + exp($1) }) }

    /// ‖B·A‖².
    private static func squaredProduct(_ layer: LoRALayer?) -> Double {
        guard let layer else { return 0 }
        var sum = 0.0
        for output in 0..<layer.b.columns {
            for input in 0..<layer.a.columns {
                var product = 0.0
                for component in 0..<layer.rank {
                    product +=
                        Double(layer.b.values.floats[component * layer.b.columns + output])
                        * Double(layer.a.values.floats[component * layer.a.columns + input])
                }
                sum += product * product
            }
        }
        return sum
    }

    /// Σ over the layers of ‖B[:, g:]‖·‖A[g:, :]‖.
    private static func tails(_ model: Perceptron, gamma: Double) -> Double {
        model.layers.reduce(0) { sum, layer in
            guard let layer = layer.lora else { return sum }
            let kept = Int(gamma * Double(layer.rank))
            func norm(_ factor: TrainedTensor) -> Double {
                factor.values.floats[(kept * factor.columns)...].reduce(0) { $0 + Double($1 * $1) }.squareRoot()
            }
            return sum + norm(layer.a) * norm(layer.b)
        }
    }

    /// Compares the gradients of `tensor` with central differences of `loss`, moving one number at a time by `move`.
    private static func check(
        _ tensor: TrainedTensor, loss: () -> Double, move: (_ index: Int, _ by: Float) -> Void
    ) {
        let step: Float = 1.0 / 1024
        for index in tensor.values.floats.indices {
            move(index, step)
            let above = loss()
            move(index, -2 * step)
            let below = loss()
            move(index, step)
            let expected = (above - below) / (2 * Double(step))
            #expect(abs(Double(tensor.gradient.floats[index]) - expected) < 1e-4 * max(1, abs(expected)))
        }
    }

    @Test(
        arguments: [Float(0), 0.05],
        [nil, RankPruning(gamma: 0.7, penalty: 0.3, minRank: 1)] as [RankPruning?])
    func `gradients agree with finite differences`(penalty: Float, pruning: RankPruning?) throws {
        let (model, base) = try Self.model()
        _ = model.forward(Self.examples, [0, 1, 2, 3])
        model.backward()
        model.penalise(penalty, pruning: pruning)
        func loss() -> Double {
            Self.reference(model, base, penalty: Double(penalty))
                + (pruning.map { $0.penalty * Self.tails(model, gamma: $0.gamma) } ?? 0)
        }
        for case let layer? in model.layers.map(\.lora) {
            for factor in [layer.a, layer.b] {
                Self.check(factor, loss: loss) { factor.values.floats[$0] += $1 }
            }
        }
    }

    @Test func `a tail that is zero has no gradient of its own`() throws {
        let factors = ModuleFactors(
            rank: 2, inputs: 2, outputs: 2, a: [1, 2, 3, 4], b: [5, 6, 0, 0])
        let layer = LoRALayer(factors, scale: 1)
        layer.penaliseTail(RankPruning(gamma: 0.5, penalty: 1, minRank: 1))
        #expect((Array(layer.a.gradient.floats) + Array(layer.b.gradient.floats)).allSatisfy { $0 == 0 })
    }

    @Test func `gradients of sparse weights agree with finite differences`() throws {
        let base = PerceptronBase(shape: try Self.shape.get(), seed: 3)
        let layers = base.layers.map { frozen in
            var layer = AdaptedLayer(frozen)
            let mask = SparseMask(
                seed: 1, module: layer.name, outputs: layer.outputs, inputs: layer.inputs, density: 0.4)
            layer.train(mask, delta: mask.indices.map { Float($0 % 5) / 8 })
            return layer
        }
        let model = try Self.model(base, layers)
        _ = model.forward(Self.examples, [0, 1, 2, 3])
        model.backward()
        for layer in layers {
            let sparse = try #require(layer.sparse)
            Self.check(
                sparse.delta, loss: { Self.reference(model, base, penalty: 0) },
                move: { layer.frozen.weight.block.floats[sparse.mask.indices[$0]] += $1 })
        }
        #expect(base.layers[0].weight.values == PerceptronBase(shape: base.shape, seed: 3).layers[0].weight.values)
    }

    @Test func `the loss agrees with a plain reference`() throws {
        let (model, base) = try Self.model()
        let result = model.forward(Self.examples, [0, 1, 2, 3])
        #expect(abs(result.loss / Double(Self.rows) - Self.reference(model, base, penalty: 0)) < 1e-5)
    }

    @Test func `a name that is no model says what is expected`() {
        for name in ["mlp", "mlp-64", "cnn-1-2", "mlp-64--10", "mlp-0-10", "mlp-64-10x", "mlp-99999-99999-99999"] {
            #expect(throws: TrainingError.self) { try PerceptronShape(name: name) }
        }
        #expect(throws: Never.self) { try PerceptronShape(name: "mlp-64-200-200-10") }
    }
}
