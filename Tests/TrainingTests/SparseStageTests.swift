import AdapterFormat
import Foundation
import LinearAlgebra
import Testing
import TrainingData

@testable import Training

/// A sparse stage on real files, in a folder that goes with the test.
@Suite final class SparseStageTests {
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private static let data = DataSet(
        width: 4, features: (0..<80).map { Float(($0 * 7) % 11) / 5 - 1 }, labels: (0..<20).map { $0 % 2 })
    /// fc1 is 8 × 4 and fc2 2 × 8, so the mask keeps 8 and 4 weights.
    private static let stage = TrainingPlan.Stage(name: "sparse", density: 0.25, seed: 5)
    private static let zeros = [
        "base_model.model.fc1.sparse_delta": [Float](repeating: 0, count: 8),
        "base_model.model.fc2.sparse_delta": [Float](repeating: 0, count: 4),
    ]

    private func assignment(
        _ tensors: [String: [Float]] = zeros, stage: TrainingPlan.Stage = stage
    ) throws -> TrainingAssignment {
        let path = folder + "/delta.safetensors"
        let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
        defer { close(descriptor) }
        var writer = try SafetensorsWriter(
            layout: try SafetensorsLayout(
                tensors: tensors.map { .init(name: $0.key, type: .f32, shape: [$0.value.count]) }),
            descriptor: descriptor)
        for (name, values) in tensors { try writer.write(values, to: name) }
        try writer.finish()
        let plan = TrainingPlan(
            round: 1, ranks: [:], scales: [:], seed: 11, stage: stage,
            settings: TrainingSettings(["epochs": .number(3), "batch_size": .number(8), "learning_rate": .number(0.1)]))
        return TrainingAssignment(
            adapter: path, configuration: path, plan: plan, output: folder + "/trained.safetensors")
    }

    private func trainer() throws -> NativeTrainer {
        try NativeTrainer(ModelRegistry.model(named: "mlp-4-8-2", seed: 2).task(Self.data))
    }

    @Test func `the kept weights are trained and sent in the form they came in`() async throws {
        let assignment = try assignment()
        _ = try await trainer().train(assignment) { _ in }
        let sent = try SafetensorsFile(path: assignment.output)
        #expect(Set(sent.tensors.map(\.name)) == Set(Self.zeros.keys))
        for (name, zeros) in Self.zeros {
            #expect(sent[name]?.shape == [zeros.count])
            #expect(sent[name]?.floats().contains { $0 != 0 } == true)
        }
    }

    @Test func `a round goes on from the delta of the last one`() async throws {
        let first = try assignment()
        let before = try await trainer().train(first) { _ in }
        let sent = try SafetensorsFile(path: first.output)
        let second = try assignment(Dictionary(uniqueKeysWithValues: sent.tensors.map { ($0.name, $0.floats()) }))
        let after = try await trainer().train(second) { _ in }
        #expect(after.loss < before.loss)
    }

    @Test func `a layer that the file leaves out is not trained`() async throws {
        let name = "base_model.model.fc2.sparse_delta"
        let assignment = try assignment([name: [0, 0, 0, 0]])
        _ = try await trainer().train(assignment) { _ in }
        #expect(try SafetensorsFile(path: assignment.output).tensors.map(\.name) == [name])
    }

    @Test(
        arguments: [
            (["base_model.model.fc9.sparse_delta": [0]], "fc9.sparse_delta is no sparse delta of a layer"),
            (["base_model.model.fc1.lora_A.weight": [0]], "fc1.lora_A.weight is no sparse delta of a layer"),
            (["base_model.model.fc1.sparse_delta": [0, 0]], "is of shape [2]; the mask keeps 8"),
            (["base_model.model.fc2.sparse_delta": [0, .nan, 0, 0]], "holds numbers that are not finite"),
            ([:], "it holds no sparse delta"),
        ] as [([String: [Float]], String)])
    func `a file that is no delta of the model says why`(tensors: [String: [Float]], reason: String) async throws {
        let assignment = try assignment(tensors)
        let error = await #expect(throws: TrainingError.self) { try await trainer().train(assignment) { _ in } }
        #expect("\(String(describing: error))".contains(reason))
        #expect(!FileManager.default.fileExists(atPath: assignment.output))
    }

    @Test(
        arguments: [
            (TrainingPlan.Stage(name: "distilling", density: 0.1, seed: 1), "stage"),
            (TrainingPlan.Stage(name: "sparse", seed: 1), "stage.density"),
            (TrainingPlan.Stage(name: "sparse", density: 0, seed: 1), "stage.density"),
            (TrainingPlan.Stage(name: "sparse", density: .nan, seed: 1), "stage.density"),
            (TrainingPlan.Stage(name: "sparse", density: 0.25), "stage.seed"),
        ])
    func `a stage that cannot be followed is named`(stage: TrainingPlan.Stage, key: String) async throws {
        let assignment = try assignment(stage: stage)
        let error = await #expect(throws: TrainingError.self) { try await trainer().train(assignment) { _ in } }
        guard case .setting(key, _, _) = error else {
            Issue.record("expected a refusal of \(key), got \(String(describing: error))")
            return
        }
    }
}
