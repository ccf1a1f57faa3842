import AdapterFormat
import AdapterOperations
import Foundation
import LinearAlgebra
import Synchronization
import Testing
import TrainingData

@testable import Training

/// A personal adapter beside the shared one, and both as one, in a folder that goes with the test.
@Suite final class PersonalAdapterTests {
    private let folder: String
    private var personal: String { folder + "/personal" }
    private var output: String { folder + "/out.safetensors" }

    init() throws {
        folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private static func model() throws -> NativeModel { try ModelRegistry.model(named: "mlp-6-5-3", seed: 4) }

    private static let data: DataSet = {
        var generator = SeededGenerator(seed: 3, stream: "examples")
        let labels = (0..<30).map { $0 % 3 }
        return DataSet(
            width: 6,
            features: labels.flatMap { label in
                (0..<6).map { ($0 % 3 == label ? 1 : 0) + generator.uniform(within: 0.3) }
            }, labels: labels)
    }()

    /// An adapter folder of its own rank, with B of this size.
    private func adapter(_ name: String, rank: Int, bound: Float, scale: Double = 2) throws -> String {
        let path = folder + "/" + name
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let shape = try AdapterShape(
            modules: try Self.model().layers.map {
                ModuleShape(name: $0.name, inputs: $0.inputs, outputs: $0.outputs, maximumRank: rank)
            })
        let descriptor = open(path + "/adapter_model.safetensors", O_RDWR | O_CREAT | O_TRUNC, 0o600)
        defer { close(descriptor) }
        var generator = SeededGenerator(seed: 1, stream: name)
        var writer = try AdapterWriter(shape: shape, descriptor: descriptor)
        for module in shape.modules {
            var factors = ModuleFactors(zeroOf: module, rank: rank)
            for index in factors.a.indices { factors.a[index] = generator.uniform(within: 0.5) }
            for index in factors.b.indices { factors.b[index] = generator.uniform(within: bound) }
            try writer.take(factors, of: module)
        }
        try writer.finish()
        try AdapterConfig(shape: shape, scaling: .constant(scale)).json
            .write(toFile: path + "/adapter_config.json", atomically: true, encoding: .utf8)
        return path
    }

    private func assignment(_ round: Int, from path: String, rank: Int, rate: Double = 0.1) -> TrainingAssignment {
        let ranks = ["fc1": rank, "fc2": rank]
        return TrainingAssignment(
            adapter: path + "/adapter_model.safetensors", configuration: path + "/adapter_config.json",
            plan: TrainingPlan(
                round: round, ranks: ranks, scales: ranks.mapValues { _ in 2 }, seed: 5,
                settings: TrainingSettings([
                    "epochs": .number(4), "batch_size": .number(5), "learning_rate": .number(rate),
                ])),
            output: output)
    }

    private func contents(_ path: String) throws -> Data { try Data(contentsOf: URL(filePath: path)) }

    @Test func `the personal adapter goes on from round to round, and what is sent is as without it`() async throws {
        let trainer = NativeTrainer(try Self.model().task(Self.data))
        let begin = try adapter("begin", rank: 2, bound: 0)
        let own = personal + "/adapter_model.safetensors"
        _ = try await trainer.train(assignment(1, from: begin, rank: 2)) { _ in }
        let expected = try contents(output)

        let subject = PersonalTrainer(trainer, folder: personal)
        let outcome = try await subject.train(assignment(1, from: begin, rank: 2)) { _ in }
        #expect(outcome.samples == 30)
        #expect(try contents(output) == expected)
        // Both began alike.
        let first = try contents(own)
        #expect(first == expected)
        // The next round begins anew for the shared one, and where it stood for the personal one.
        _ = try await subject.train(assignment(2, from: begin, rank: 2)) { _ in }
        #expect(try contents(output) == expected)
        let second = try contents(own)
        #expect(second != first)
        let task = try Self.model().task(Self.data)
        let scales = ["fc1": 2.0, "fc2": 2.0]
        let once = try Evaluation(of: task, adapter: output, scales: scales)
        let twice = try Evaluation(of: task, adapter: own, scales: scales)
        #expect(twice.loss < once.loss)
        #expect(try contents(personal + "/adapter_config.json") == contents(begin + "/adapter_config.json"))
        #expect(!FileManager.default.fileExists(atPath: personal + "/trained.safetensors"))
    }

    @Test func `a personal adapter of another rank, or damaged, begins anew`() async throws {
        let subject = PersonalTrainer(NativeTrainer(try Self.model().task(Self.data)), folder: personal)
        let own = personal + "/adapter_model.safetensors"
        let (low, high) = (try adapter("low", rank: 1, bound: 0), try adapter("high", rank: 3, bound: 0))
        _ = try await subject.train(assignment(1, from: low, rank: 1)) { _ in }
        _ = try await subject.train(assignment(2, from: high, rank: 3)) { _ in }
        #expect(try contents(own) == contents(output))
        try Data("torn".utf8).write(to: URL(filePath: own))
        _ = try await subject.train(assignment(3, from: high, rank: 3)) { _ in }
        #expect(try contents(own) == contents(output))
    }

    /// Fails where it is to train an adapter that is kept in this folder.
    private struct FailingTrainer: LocalTrainer {
        let trainer: any LocalTrainer
        let folder: String
        let error: TrainingError

        func train(
            _ assignment: TrainingAssignment, progress: @escaping @Sendable (TrainingProgress) -> Void
        ) async throws(TrainingError) -> TrainingOutcome {
            guard !assignment.output.hasPrefix(folder) else { throw error }
            return try await trainer.train(assignment, progress: progress)
        }
    }

    @Test func `a personal adapter that cannot be trained stays as it was, and the round goes on`() async throws {
        let trainer = NativeTrainer(try Self.model().task(Self.data))
        let begin = try adapter("begin", rank: 2, bound: 0)
        let own = personal + "/adapter_model.safetensors"
        _ = try await PersonalTrainer(trainer, folder: personal).train(assignment(1, from: begin, rank: 2)) { _ in }
        let kept = try contents(own)
        let heard = Mutex<[TrainingError]>([])
        func subject(_ error: TrainingError) -> PersonalTrainer {
            PersonalTrainer(
                FailingTrainer(trainer: trainer, folder: personal, error: error), folder: personal,
                onFailure: { error in heard.withLock { $0.append(error) } })
        }
        try FileManager.default.removeItem(atPath: output)
        _ = try await subject(.diverged(epoch: 1, step: 1)).train(assignment(2, from: begin, rank: 2)) { _ in }
        #expect(FileManager.default.fileExists(atPath: output))
        #expect(try contents(own) == kept)
        try FileManager.default.removeItem(atPath: output)
        await #expect(throws: TrainingError.cancelled) {
            try await subject(.cancelled).train(assignment(2, from: begin, rank: 2)) { _ in }
        }
        #expect(!FileManager.default.fileExists(atPath: output))
        #expect(heard.withLock { $0 } == [.diverged(epoch: 1, step: 1)])
    }

    @Test func `weights of one and zero are either adapter, and both add up`() throws {
        let own = try adapter("own", rank: 2, bound: 0.5)
        let common = try adapter("common", rank: 3, bound: 0.5, scale: 0.5)
        let fusion = try AdapterFusion(personal: own, shared: common)
        let task = try Self.model().task(Self.data)
        func logits(_ personal: Double, _ shared: Double) throws -> [Float] {
            let path = folder + "/fused.safetensors"
            try fusion.write(.init(personal: personal, shared: shared), to: path)
            let file = try AdapterFile(try SafetensorsFile(path: path))
            #expect(file.ranks == ["fc1": 5, "fc2": 5])
            return try Evaluation(of: task, adapter: path, scales: fusion.configuration.scales(of: file)).logits
        }
        func alone(_ path: String) throws -> [Float] {
            try Evaluation(
                adapter: path + "/adapter_model.safetensors", settings: TrainingSettings(), task: { _ in task }
            ).logits
        }
        func agree(_ one: [Float], _ other: [Float]) -> Bool {
            zip(one, other).allSatisfy { abs($0 - $1) < 1e-5 }
        }
        #expect(try agree(logits(1, 0), alone(own)))
        #expect(try agree(logits(0, 1), alone(common)))
        #expect(try !agree(logits(1, 1), alone(common)) && !agree(logits(1, 1), alone(own)))
    }

    @Test func `the search finds weights that do no worse than either adapter`() async throws {
        let trainer = NativeTrainer(try Self.model().task(Self.data))
        let common = try adapter("common", rank: 3, bound: 0.3)
        let own = try adapter("own", rank: 2, bound: 0)
        _ = try await trainer.train(assignment(1, from: own, rank: 2)) { _ in }
        try FileManager.default.removeItem(atPath: own + "/adapter_model.safetensors")
        try FileManager.default.moveItem(atPath: output, toPath: own + "/adapter_model.safetensors")
        let task = try Self.model().task(Self.data)
        let (weights, found) = try AdapterFusion(personal: own, shared: common)
            .search(on: task, settings: TrainingSettings(), folder: folder)
        let trained = try Evaluation(
            adapter: own + "/adapter_model.safetensors", settings: TrainingSettings(), task: { _ in task })
        #expect(found.loss + 0.05 * (weights.personal + weights.shared) <= trained.loss + 0.05 + 1e-9)
        // The shared one is noise here.
        #expect(weights.personal > weights.shared)
    }

    @Test func `adapters that do not go together are refused`() throws {
        let own = try adapter("own", rank: 2, bound: 0.5)
        let common = try adapter("common", rank: 3, bound: 0.5)
        #expect(throws: AdapterFileError.self) { try AdapterFusion(personal: own, shared: folder + "/nowhere") }
        let shape = try AdapterShape(modules: [ModuleShape(name: "fc1", inputs: 6, outputs: 5, maximumRank: 1)])
        let path = common + "/adapter_model.safetensors"
        let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
        defer { close(descriptor) }
        var writer = try AdapterWriter(shape: shape, descriptor: descriptor)
        try writer.take(ModuleFactors(zeroOf: shape.modules[0], rank: 1), of: shape.modules[0])
        try writer.finish()
        // The configuration is still the one of rank 3.
        #expect(
            throws: AdapterFileError.adapter(file: path, reason: "fc1 has rank 1; its configuration says 3")
        ) { try AdapterFusion(personal: own, shared: common) }
        try AdapterConfig(shape: shape, scaling: .constant(2)).json
            .write(toFile: common + "/adapter_config.json", atomically: true, encoding: .utf8)
        #expect(
            throws: AdapterFileError.adapter(file: own, reason: "it has fc2, which \(common) has not")
        ) { try AdapterFusion(personal: own, shared: common) }
    }
}
