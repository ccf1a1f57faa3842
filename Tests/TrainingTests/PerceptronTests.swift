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

    @Test(arguments: [Float(0), 0.05]) func `gradients agree with finite differences`(penalty: Float) throws {
        let (model, input, labels) = try Self.model()
        let view = input.matrix(rows: Self.rows, columns: 5).readOnly
        _ = labels.withUnsafeBufferPointer { model.forward(view, labels: $0) }
        model.backward(view, penalty: penalty)
        let step: Float = 1.0 / 1024
        for case let layer? in model.adapters {
            for factor in [layer.a, layer.b] {
                for index in factor.values.floats.indices {
                    let value = factor.values.floats[index]
                    factor.values.floats[index] = value + step
                    let above = Self.reference(model, input, labels, penalty: Double(penalty))
                    factor.values.floats[index] = value - step
                    let below = Self.reference(model, input, labels, penalty: Double(penalty))
                    factor.values.floats[index] = value
                    let expected = (above - below) / (2 * Double(step))
                    #expect(abs(Double(factor.gradient.floats[index]) - expected) < 1e-4 * max(1, abs(expected)))
                }
            }
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
