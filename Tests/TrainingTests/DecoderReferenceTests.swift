import AdapterFormat
import Foundation
import LinearAlgebra
import ModelFiles
import Testing
import TrainingData

@testable import Training

/// A real language model beside PEFT (`scripts/check_llm.py`), where the environment names both.
@Suite struct DecoderReferenceTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let model = environment["RANKWISE_LLM"]
    private static let reference = environment["RANKWISE_LLM_REFERENCE"]

    @Test(.enabled(if: model != nil && reference != nil, "RANKWISE_LLM and RANKWISE_LLM_REFERENCE are not set"))
    func `a real model's loss and gradients are PEFT's`() throws {
        let (model, folder) = (try #require(Self.model), try #require(Self.reference))
        let base = try DecoderBase(ModelFile(path: model))
        let wanted = try SafetensorsFile(path: folder + "/peft.safetensors")
        let tokens = try #require(wanted["tokens"])
        let (numbers, length) = (tokens.floats().map { Int32($0) }, tokens.shape[1])
        let texts = TokenSequences(
            stride(from: 0, to: numbers.count, by: length).map {
                (Array(numbers[$0..<$0 + length]), Array(repeating: true, count: length))
            })
        let adapter = try ModelAdapter(path: folder + "/adapter_model.safetensors")
        let scales = Dictionary(uniqueKeysWithValues: adapter.file.modules.map { ($0.name, 2.0) })
        let decoder = try base.model(
            try adapter.adapt(of: base, base.layers, scales: scales), dense: [],
            settings: TrainingSettings(["max_length": .number(Double(length))]), batchLimit: texts.count)
        let result = decoder.forward(texts, Array(0..<texts.count)[...])
        decoder.backward()
        let loss = Double(try #require(wanted["loss"]).floats()[0])
        #expect(abs(result.meanLoss - loss) < 1e-5)
        var worst: Float = 0
        for layer in decoder.layers {
            let lora = try #require(layer.lora)
            let gradients = ModuleFactors(
                rank: lora.rank, inputs: layer.inputs, outputs: layer.outputs, a: Array(lora.a.gradient.floats),
                b: Array(lora.b.gradient.floats))
            for (factor, values) in [("A", gradients.a), ("B", gradients.outputMajorB())] {
                let name = "gradient.base_model.model.\(layer.name).lora_\(factor).weight"
                let expected = try #require(wanted[name]).floats()
                let largest = expected.map(abs).max() ?? 0
                let difference = zip(values, expected).map { abs($0 - $1) }.max() ?? .infinity
                worst = max(worst, difference / largest)
                #expect(difference < 5e-4 * largest, "\(name)")
            }
        }
        print("loss \(result.meanLoss) here, \(loss) in PEFT; largest difference of a gradient \(worst)")
    }
}
