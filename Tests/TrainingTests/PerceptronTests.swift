import AdapterFormat
import Glibc
import LinearAlgebra
import Testing

@testable import Training

@Suite struct PerceptronTests {
    private static let rows = 4

    /// A model of two layers with LoRA of rank 3 and 2 on them, its factors random, and a batch for it.
    private static func model(batch: Int = rows) throws -> (Perceptron, FloatBlock, [Int]) {
        let shape = try PerceptronShape(name: "mlp-5-6-3")
        var generator = SeededGenerator(seed: 9, stream: "test")
        func draw(_ count: Int) -> [Float] { (0..<count).map { _ in generator.uniform(within: 1) } }
        let adapters = shape.layers.enumerated().map { index, layer in
            let rank = 3 - index
            return LoRALayer(
                ModuleFactors(
                    rank: rank, inputs: layer.inputs, outputs: layer.outputs, a: draw(rank * layer.inputs),
                    b: draw(rank * layer.outputs)), scale: 0.5)
        }
        let model = Perceptron(base: PerceptronBase(shape: shape, seed: 3), adapters: adapters, batchLimit: batch)
        let input = FloatBlock(count: batch * shape.inputs)
        _ = input.floats.update(from: draw(batch * shape.inputs))
        return (model, input, (0..<batch).map { $0 % 3 })
    }

    /// The mean loss and the penalty, in double precision and without matrices.
    private static func reference(_ model: Perceptron, _ input: FloatBlock, _ labels: [Int], penalty: Double) -> Double
    {
        var loss = 0.0
        for (row, label) in labels.enumerated() {
            var values = (0..<5).map { Double(input.floats[row * 5 + $0]) }
            for (index, layer) in model.base.shape.layers.enumerated() {
                values = (0..<layer.outputs).map { output in
                    let frozen = model.base.layers[index]
                    var sum = Double(frozen.bias.floats[output])
                    for column in 0..<layer.inputs {
                        sum += Double(frozen.weight.floats[output * layer.inputs + column]) * values[column]
                    }
                    if let adapter = model.adapters[index] {
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
        return loss / Double(labels.count) + penalty * model.adapters.reduce(0) { $0 + squaredProduct($1) }
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
        model.adapters.reduce(0) { sum, layer in
            guard let layer else { return sum }
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
        [nil, TrainingPlan.Pruning(gamma: 0.7, penalty: 0.3, minRank: 1)] as [TrainingPlan.Pruning?])
    func `gradients agree with finite differences`(penalty: Float, pruning: TrainingPlan.Pruning?) throws {
        let (model, input, labels) = try Self.model()
        let view = input.matrix(rows: Self.rows, columns: 5).readOnly
        _ = labels.withUnsafeBufferPointer { model.forward(view, labels: $0) }
        model.backward(view, penalty: penalty, pruning: pruning)
        func loss() -> Double {
            Self.reference(model, input, labels, penalty: Double(penalty))
                + (pruning.map { $0.penalty * Self.tails(model, gamma: $0.gamma) } ?? 0)
        }
        for case let layer? in model.adapters {
            for factor in [layer.a, layer.b] {
                Self.check(factor, loss: loss) { factor.values.floats[$0] += $1 }
            }
        }
    }

    @Test func `a tail that is zero has no gradient of its own`() throws {
        let factors = ModuleFactors(
            rank: 2, inputs: 2, outputs: 2, a: [1, 2, 3, 4], b: [5, 6, 0, 0])
        let layer = LoRALayer(factors, scale: 1)
        layer.penaliseTail(TrainingPlan.Pruning(gamma: 0.5, penalty: 1, minRank: 1))
        #expect((Array(layer.a.gradient.floats) + Array(layer.b.gradient.floats)).allSatisfy { $0 == 0 })
    }

    @Test(
        arguments: [(0.99, 1, nil), (0.99, 2, 1), (0.99, 100, 99), (0.4, 2, nil), (1, 8, nil), (.nan, 8, nil)]
            as [(Double, Int, Int?)])
    func `pruning keeps the floor of its share`(gamma: Double, rank: Int, kept: Int?) {
        #expect(TrainingPlan.Pruning(gamma: gamma, penalty: 0, minRank: 1).kept(ofRank: rank) == kept)
    }

    @Test func `a rank that is given up stays above the least one`() {
        let pruning = TrainingPlan.Pruning(gamma: 0.5, penalty: 0, minRank: 3)
        #expect([8, 6, 4, 3, 2].map(pruning.reduced) == [4, 3, 3, 3, 2])
    }

    @Test func `gradients of sparse weights agree with finite differences`() throws {
        let shape = try PerceptronShape(name: "mlp-5-6-3")
        let base = PerceptronBase(shape: shape, seed: 3)
        let (_, input, labels) = try Self.model()
        let sparse = zip(shape.layers, base.layers).map { layer, weights in
            let mask = SparseMask(
                seed: 1, module: layer.name, outputs: layer.outputs, inputs: layer.inputs, density: 0.4)
            return SparseLayer(
                mask: mask, delta: mask.indices.map { Float($0 % 5) / 8 }, weight: weights.weight, inputs: layer.inputs)
        }
        let model = Perceptron(base: base, sparse: sparse, batchLimit: Self.rows)
        let view = input.matrix(rows: Self.rows, columns: 5).readOnly
        _ = labels.withUnsafeBufferPointer { model.forward(view, labels: $0) }
        model.backward(view)
        for (layer, weights) in zip(sparse, base.layers) {
            Self.check(
                layer.delta, loss: { Self.reference(model, input, labels, penalty: 0) },
                move: { weights.weight.floats[layer.mask.indices[$0]] += $1 })
        }
    }

    @Test func `the loss agrees with a plain reference`() throws {
        let (model, input, labels) = try Self.model()
        let view = input.matrix(rows: Self.rows, columns: 5).readOnly
        let result = labels.withUnsafeBufferPointer { model.forward(view, labels: $0) }
        #expect(abs(result.loss / Double(Self.rows) - Self.reference(model, input, labels, penalty: 0)) < 1e-5)
    }

    @Test func `a name that is no model says what is expected`() {
        for name in ["mlp", "mlp-64", "cnn-1-2", "mlp-64--10", "mlp-0-10", "mlp-64-10x", "mlp-99999-99999-99999"] {
            #expect(throws: TrainingError.self) { try PerceptronShape(name: name) }
        }
        #expect(throws: Never.self) { try PerceptronShape(name: "mlp-64-200-200-10") }
    }
}
