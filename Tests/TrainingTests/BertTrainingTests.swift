import AdapterFormat
import Foundation
import Testing

@testable import Training

/// A tiny random BERT as clients and tools use it: from a folder, on files of texts.
@Suite struct BertTrainingTests {
    private static var folder: String {
        get throws { try #require(Bundle.module.resourceURL).path + "/Fixtures/bert/tiny" }
    }

    /// A folder for one test.
    private struct Scratch {
        let path = NSTemporaryDirectory() + "bert-\(UUID().uuidString)"
        init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
        func remove() { try? FileManager.default.removeItem(atPath: path) }

        func write(_ text: String, to name: String) throws -> String {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path + "/" + name))
            return path + "/" + name
        }

        /// The tiny model with some of its files replaced.
        func model(replacing files: [String: String]) throws -> String {
            let copy = path + "/model"
            try FileManager.default.copyItem(atPath: BertTrainingTests.folder, toPath: copy)
            for (name, text) in files { try Data(text.utf8).write(to: URL(fileURLWithPath: copy + "/" + name)) }
            return copy
        }
    }

    private static let dense = ["classifier.weight": [3, 32], "classifier.bias": [3]]

    private static func assignment(output: String, epochs: Int) throws -> TrainingAssignment {
        let adapter = try folder + "/adapter_model.safetensors"
        let file = try AdapterFile(try SafetensorsFile(path: adapter))
        return TrainingAssignment(
            adapter: adapter, configuration: try folder + "/adapter_config.json",
            plan: TrainingPlan(
                round: 1, ranks: file.ranks, scales: file.ranks.mapValues { _ in 2 }, seed: 5,
                settings: TrainingSettings([
                    "epochs": .number(Double(epochs)), "batch_size": .number(4), "learning_rate": .number(0.003),
                    "momentum": .number(0.9), "max_length": .number(12),
                ])),
            output: output)
    }

    private static let texts = (0..<9).map { "\($0 % 3)\tw\($0 % 3) w\(30 + $0) w\(50 + 2 * $0)" }
        .joined(separator: "\n")

    @Test func `texts that are held out are scored`() async throws {
        let scratch = try Scratch()
        defer { scratch.remove() }
        let data = try scratch.write(Self.texts, to: "texts.tsv")
        let task = try BertEncoder(folder: Self.folder).model(dense: Self.dense).task(data: data)
        var assignment = try Self.assignment(output: scratch.path + "/out.safetensors", epochs: 5)
        assignment.plan.holdout = 1.0 / 3
        let outcome = try await NativeTrainer(task).train(assignment) { _ in }
        let found = try await NativeTrainer(task).evaluate(assignment)
        #expect(outcome.samples == 6 && found.samples == 3)
        #expect(found.metrics.keys.sorted() == ["accuracy", "loss"])
        #expect(try await NativeTrainer(task.onOneThread).evaluate(assignment) == found)
    }

    @Test func `training lowers the loss and writes the adapter with its classifier`() async throws {
        let scratch = try Scratch()
        defer { scratch.remove() }
        let data = try scratch.write(Self.texts, to: "texts.tsv")
        let task = try BertEncoder(folder: Self.folder).model(dense: Self.dense).task(data: data)
        let output = scratch.path + "/out.safetensors"
        let assignment = try Self.assignment(output: output, epochs: 25)
        let outcome = try await NativeTrainer(task).train(assignment) { _ in }
        #expect(outcome.samples == 9)
        let scales = assignment.plan.scales
        let settings = assignment.plan.settings
        let before = try Evaluation(of: task, adapter: assignment.adapter, scales: scales, settings: settings)
        let after = try Evaluation(of: task, adapter: output, scales: scales, settings: settings)
        #expect(after.loss < 0.5 * before.loss)
        #expect(after.accuracy == 1)
        let trained = try AdapterFile(try SafetensorsFile(path: output))
        #expect(trained.dense.map(\.name) == ["classifier.bias", "classifier.weight"])
        #expect(trained.modules.count == 4)
    }

    @Test func `the same round gives the same bytes`() async throws {
        let scratch = try Scratch()
        defer { scratch.remove() }
        let data = try scratch.write(Self.texts, to: "texts.tsv")
        let task = try BertEncoder(folder: Self.folder).model(dense: Self.dense).task(data: data)
        var files: [Data] = []
        for name in ["one", "two"] {
            let output = scratch.path + "/" + name
            _ = try await NativeTrainer(task).train(Self.assignment(output: output, epochs: 2)) { _ in }
            files.append(try #require(FileManager.default.contents(atPath: output)))
        }
        #expect(files[0] == files[1])
    }

    @Test func `a class beyond the classifier is refused`() throws {
        let scratch = try Scratch()
        defer { scratch.remove() }
        let data = try scratch.write("0\tw1\n3\tw2", to: "texts.tsv")
        let model = try BertEncoder(folder: Self.folder).model(dense: Self.dense)
        #expect(throws: TrainingError.data(reason: "an example is of class 3; the model has 3 classes")) {
            try model.task(data: data)
        }
    }

    @Test(arguments: [
        ([:], "it is not among the dense tensors; it is the classifier"),
        (["classifier.weight": [3, 31], "classifier.bias": [3]], "its shape is [3, 31]; the model has [3, 32]"),
        (["classifier.weight": [3, 32]], "its shape is missing; the model has [3]"),
        (["classifier.weight": [1, 32], "classifier.bias": [1]], "it has 1 classes; expected 2 to 65535"),
    ])
    func `a federation without a fitting classifier is refused`(dense: [String: [Int]], reason: String) throws {
        let encoder = try BertEncoder(folder: Self.folder)
        let error = #expect(throws: TrainingError.self) { try encoder.model(dense: dense) }
        #expect(error?.description.contains(reason) == true)
    }

    @Test(arguments: [
        ("config.json", "{", "it is not sound JSON"),
        ("config.json", #"{"hidden_size":32}"#, "it lacks"),
        ("vocab.txt", "[UNK]\n[CLS]\n", "it lacks [SEP]"),
        ("tokenizer_config.json", "[]", "it is no configuration of a BERT tokenizer"),
        ("tokenizer_config.json", #"{"do_lower_case":true,"strip_accents":false}"#, "only the tokenizer of BERT"),
        ("model.safetensors", "", "model.safetensors"),
    ])
    func `a folder that is no BERT is refused with the file`(name: String, text: String, reason: String) throws {
        let scratch = try Scratch()
        defer { scratch.remove() }
        let folder = try scratch.model(replacing: [name: text])
        let error = #expect(throws: TrainingError.self) { try BertEncoder(folder: folder) }
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
    }

    @Test(arguments: [
        ("\"model_type\": \"bert\"", "\"model_type\": \"gpt2\"", "model_type"),
        ("\"hidden_act\": \"gelu\"", "\"hidden_act\": \"relu\"", "hidden_act"),
        ("\"hidden_size\": 32", "\"hidden_size\": \"32\"", "of another type"),
        ("\"hidden_size\": 32", "\"hidden_size\": 64", "is of shape"),
        ("\"num_attention_heads\": 4", "\"num_attention_heads\": 5", "5 heads do not divide"),
        ("\"num_attention_heads\": 4", "\"num_attention_heads\": 0", "expected 1 to"),
        ("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", "it lacks encoder.layer.2"),
        ("\"vocab_size\": 100", "\"vocab_size\": 99", "vocab.txt has 100 pieces, the model 99"),
        ("\"max_position_embeddings\": 24", "\"max_position_embeddings\": 1", "expected 2 to"),
        ("\"layer_norm_eps\": 1e-12", "\"layer_norm_eps\": -1", "layer_norm_eps"),
    ])
    func `a configuration of another model is refused`(old: String, new: String, reason: String) throws {
        let config = String(
            decoding: try #require(FileManager.default.contents(atPath: Self.folder + "/config.json")), as: UTF8.self)
        #expect(config.contains(old))
        let scratch = try Scratch()
        defer { scratch.remove() }
        let folder = try scratch.model(
            replacing: ["config.json": config.replacingOccurrences(of: old, with: new)])
        let error = #expect(throws: TrainingError.self) { try BertEncoder(folder: folder) }
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
    }
}
