import AdapterFormat
import AdapterOperations
import Foundation
import LinearAlgebra
import ModelFiles
import Testing
import Tokenizers
import TrainingData

@testable import Training

/// A tiny decoder trained on texts, from file to file, and what a client may hold it to.
@Suite final class DecoderTrainingTests {
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// A token for each byte, as GPT-2 spells them, and one that ends a text.
    private static func tokenizer() throws -> Tokenizer {
        let printable = Array(33...126) + Array(161...172) + Array(174...255)
        var (spelling, next) = ([Int: Int](), 256)
        for byte in 0..<256 {
            spelling[byte] = printable.contains(byte) ? byte : next
            if !printable.contains(byte) { next += 1 }
        }
        var vocabulary: [String: Int] = ["<|end|>": 256]
        for (byte, code) in spelling { vocabulary[String(UnicodeScalar(code) ?? " ")] = byte }
        let json = """
            {"version": "1.0", "added_tokens": [{"id": 256, "content": "<|end|>", "single_word": false, "lstrip": false,
              "rstrip": false, "normalized": false, "special": true}], "normalizer": null, "post_processor": null,
             "truncation": null, "padding": null,
             "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
             "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
             "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                       "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                       "vocab": \(String(decoding: try JSONEncoder().encode(vocabulary), as: UTF8.self)), "merges": []}}
            """
        return try Array(json.utf8).withUnsafeBytes { try Tokenizer(json: $0, file: "tokenizer.json") }
    }

    private static func base(_ kind: DecoderModelTests.Kind = .llama) throws -> DecoderBase {
        try DecoderBase(ModelFile(path: kind.folder), tokenizer: tokenizer())
    }

    private static let dialogues = DialogueSet(
        ["the cat sat on the mat", "the dog sat on the log", "the bee sat on the tree", "the fox sat on the box"].map {
            .text($0)
        })

    private func assignment(
        _ output: String, _ settings: [String: TrainingSettings.Value] = [:]
    ) throws -> TrainingAssignment {
        let path = try DecoderModelTests.Kind.llama.folder + "/adapter_model.safetensors"
        let ranks = try AdapterFile(path: path).ranks
        let usual: [String: TrainingSettings.Value] = [
            "epochs": .number(1), "batch_size": .number(2), "learning_rate": .number(0.01), "optimizer": .text("adamw"),
        ]
        return TrainingAssignment(
            adapter: path, configuration: "",
            plan: TrainingPlan(
                round: 1, ranks: ranks, scales: ranks.mapValues { _ in 2 }, seed: 3,
                settings: TrainingSettings(usual.merging(settings) { $1 })),
            output: folder + "/" + output)
    }

    @discardableResult
    private func train(
        _ output: String, _ settings: [String: TrainingSettings.Value] = [:], limits: TrainingLimits = TrainingLimits(),
        base: DecoderBase? = nil, on dialogues: DialogueSet = dialogues
    ) async throws -> TrainingOutcome {
        let task = try NativeModel(try base ?? Self.base()).task(dialogues)
        return try await NativeTrainer(task, limits: limits).train(try assignment(output, settings)) { _ in }
    }

    @Test func `a language model is scored by perplexity on texts that it holds out`() async throws {
        var assignment = try assignment("held", ["epochs": .number(9)])
        assignment.plan.holdout = 0.5
        let trainer = NativeTrainer(try NativeModel(try Self.base()).task(Self.dialogues))
        let before = try await trainer.evaluate(assignment)
        #expect(before.samples == 2 && before.metrics.keys.sorted() == ["accuracy", "loss", "perplexity"])
        let (loss, perplexity) = (before.metrics["loss"] ?? 0, before.metrics["perplexity"] ?? 0)
        #expect(abs(perplexity - exp(loss)) < 1e-9 * perplexity)
        #expect(try await trainer.train(assignment) { _ in }.samples == 2)
        assignment.adapter = folder + "/held"
        // The texts have much in common, so those that are held out get likelier too.
        #expect(try await trainer.evaluate(assignment).metrics["loss"] ?? loss < loss)
        let limited = NativeTrainer(
            try NativeModel(try Self.base()).task(Self.dialogues), limits: TrainingLimits(memory: 1 << 30))
        #expect(try await limited.evaluate(assignment).samples == 2)
    }

    private func bytes(_ name: String) throws -> Data {
        try #require(FileManager.default.contents(atPath: folder + "/" + name))
    }

    private func distance(_ one: String, _ other: String) throws -> Float {
        let files = try [one, other].map { try AdapterFile(path: folder + "/" + $0) }
        #expect(files[0].modules.map(\.name) == files[1].modules.map(\.name))
        return try zip(files[0].modules, files[1].modules).map { first, second in
            let (a, b) = (try #require(ModuleFactors(first)), try #require(ModuleFactors(second)))
            return zip(a.a + a.b, b.a + b.b).map { abs($0 - $1) }.max() ?? 0
        }.max() ?? 0
    }

    @Test func `training learns the texts, and gives the same bytes again`() async throws {
        let before = try await train("one", ["epochs": .number(1)])
        let after = try await train("many", ["epochs": .number(20)])
        #expect(after.loss < 0.7 * before.loss && after.samples == 4)
        try await train("again", ["epochs": .number(20)])
        #expect(try bytes("many") == bytes("again"))
        let task = try NativeModel(Self.base()).task(Self.dialogues)
        let scales = try assignment("").plan.scales
        let evaluation = try Evaluation(of: task, adapter: folder + "/many", scales: scales)
        let perplexity = try #require(evaluation.perplexity)
        #expect(abs(perplexity - exp(evaluation.loss)) < 1e-9 && evaluation.predictions == 3 * 22 + 23)
        #expect(evaluation.loss < after.loss)
    }

    @Test(.enabled(if: ProductPrecision.bfloat16.isAvailable))
    func `products in bfloat16 learn nearly the same, and give the same bytes on one thread and on two`() async throws {
        let settings: [String: TrainingSettings.Value] = ["epochs": .number(10)]
        let exact = try await train("exact", settings)
        let limits = TrainingLimits(precision: .bfloat16)
        let rounded = try await train("rounded", settings, limits: limits)
        #expect(abs(rounded.loss - exact.loss) < 0.01 * exact.loss)
        #expect(try distance("exact", "rounded") < 0.05)
        #expect(try bytes("exact") != bytes("rounded"))
        var base = try Self.base()
        base.threads = 1
        try await train("single", settings, limits: limits, base: base)
        #expect(try bytes("single") == bytes("rounded"))
    }

    @Test func `bfloat16 is refused where the processor or the model does not have it`() async throws {
        if !ProductPrecision.bfloat16.isAvailable {
            await #expect(throws: TrainingError.self) {
                try await self.train("rounded", limits: TrainingLimits(precision: .bfloat16))
            }
        }
        let model = try ModelRegistry.model(named: "mlp-4-3-2", seed: 1)
        let task = try model.task(DataSet(width: 4, features: [0, 1, 0, 1], labels: [1]))
        let limits = TrainingLimits(precision: .bfloat16)
        let adapter = folder + "/drawn"
        try writeDrawnAdapter(
            try AdapterShape(
                modules: model.layers.map {
                    ModuleShape(name: $0.name, kind: $0.kind, inputs: $0.inputs, outputs: $0.outputs, maximumRank: 2)
                }, dense: []), to: adapter, seed: 1, a: 0.1)
        await #expect(throws: TrainingError.self) {
            _ = try await NativeTrainer(task, limits: limits).train(
                TrainingAssignment(
                    adapter: adapter, configuration: "",
                    plan: TrainingPlan(
                        round: 1, ranks: ["fc1": 2, "fc2": 2], scales: ["fc1": 1, "fc2": 1], seed: 3,
                        settings: TrainingSettings(["epochs": .number(1)])),
                    output: self.folder + "/out")
            ) { _ in }
        }
    }

    @Test func `the option counts whose text is likeliest, alone or for each byte`() throws {
        let options = ["the mat", "a very long log in the wood", "x"]
        let prompts = ["the cat sat on ", "the dog sat on ", "the fox "]
        let (adapter, scales) = (try assignment("").adapter, try assignment("").plan.scales)
        let settings = TrainingSettings(["max_length": .number(100)])
        func evaluation(_ dialogues: [Dialogue]) throws -> Evaluation {
            try Evaluation(
                of: NativeModel(Self.base()).task(DialogueSet(dialogues)), adapter: adapter, scales: scales,
                settings: settings)
        }
        var (likeliest, likeliestPerByte): ([Int], [Int]) = ([], [])
        for prompt in prompts {
            let losses = try options.map { option in
                let result = try evaluation([.completion(prompt: prompt, completion: option)])
                return result.loss * Double(result.predictions)
            }
            let each = zip(losses, options).map { $0 / Double($1.utf8.count) }
            likeliest.append(try #require(losses.indices.min { losses[$0] < losses[$1] }))
            likeliestPerByte.append(try #require(each.indices.min { each[$0] < each[$1] }))
        }
        #expect(likeliest != likeliestPerByte, "the two would not be told apart")
        let tooLong = Dialogue.choice(prompt: String(repeating: "a", count: 200), options: options, answer: 0)
        let found = try #require(
            try evaluation(
                zip(prompts, likeliestPerByte).map { .choice(prompt: $0, options: options, answer: $1) }
                    + [.text("the end"), tooLong]
            ).choices)
        #expect(found.count == 3 && found.tooLong == 1 && found.normalisedAccuracy == 1)
        let right = zip(likeliest, likeliestPerByte).filter { $0 == $1 }.count
        #expect(found.accuracy == Double(right) / 3)
        #expect(try evaluation(Self.dialogues.dialogues).choices == nil)
    }

    @Test(arguments: [3, 18]) func `adapters of several ranks score together as they do alone`(count: Int) async throws
    {
        let base = try Self.base()
        let dialogues = DialogueSet(
            Self.dialogues.dialogues + [.choice(prompt: "the cat ", options: ["sat", "ran away"], answer: 1)])
        var adapters: [ScoredAdapter] = []
        for index in 0..<count {
            let path = folder + "/drawn-\(index)"
            // Some layers have no adapter.
            let layers = base.layers.enumerated().filter { ($0.offset + index) % 5 != 0 }.map(\.element)
            try writeDrawnAdapter(
                try AdapterShape(
                    modules: layers.map {
                        ModuleShape(
                            name: $0.name, kind: $0.kind, inputs: $0.inputs, outputs: $0.outputs,
                            maximumRank: 1 + index % 4)
                    }, dense: []), to: path, seed: UInt64(index), a: 0.5, b: 0.5)
            let scales = Dictionary(uniqueKeysWithValues: layers.map { ($0.name, 0.5 + Double(index)) })
            adapters.append(ScoredAdapter(path: path, scales: scales))
        }
        let task = try NativeModel(base).task(dialogues)
        let together = try task.score(adapters)
        #expect(together.count == count && Set(together.map(\.loss)).count == count)
        for (adapter, result) in zip(adapters, together) {
            let alone = try Evaluation(of: task, adapter: adapter.path, scales: adapter.scales)
            #expect(abs(alone.loss - result.loss) < 1e-4 && alone.predictions == result.predictions)
            #expect(alone.choices == result.choices)
        }
    }

    @Test func `what the trunk gives is kept over epochs and rounds, and learns the same`() async throws {
        let trunk = TrunkFile(path: folder + "/trunk", limit: 1 << 20)
        let settings: [String: TrainingSettings.Value] = ["epochs": .number(6)]
        nonisolated(unsafe) var told: [String] = []
        let limits = TrainingLimits(topBlocks: 1, trunk: trunk) { told.append($0) }
        try await train("computed", settings, limits: TrainingLimits(topBlocks: 1))
        try await train("kept", settings, limits: limits)
        #expect(told.count == 1 && told[0].contains("1 blocks below") && told[0].hasSuffix("it has 0 texts"))
        #expect(try distance("computed", "kept") < 1e-5)
        // The adapter below is the same in the next round.
        try await train("again", settings, limits: limits)
        #expect(told.count == 2 && told[1].hasSuffix("it has 4 texts"))
        #expect(try distance("computed", "again") < 1e-5)

        // Its outputs are used: the same trunk with other numbers in a text's place learns something else.
        let whole = try bytes("trunk")
        var damaged = whole
        damaged[damaged.count - 1] ^= 0x40
        try damaged.write(to: URL(filePath: trunk.path))
        try await train("mended", settings, limits: limits)
        #expect(try distance("computed", "mended") < 1e-5, "a damaged record was used")
        // A record that a killed process did not finish.
        try whole.dropLast(9).write(to: URL(filePath: trunk.path))
        try await train("cut", settings, limits: limits)
        #expect(told.last?.hasSuffix("it has 3 texts") == true)
        #expect(try distance("computed", "cut") < 1e-5)
        #expect(try bytes("trunk").count == whole.count)

        // Another trunk begins another file.
        let drawn = folder + "/other"
        let base = try Self.base()
        try writeDrawnAdapter(
            try AdapterShape(
                modules: base.layers.map {
                    ModuleShape(name: $0.name, kind: $0.kind, inputs: $0.inputs, outputs: $0.outputs, maximumRank: 3)
                }, dense: []), to: drawn, seed: 8, a: 0.5, b: 0.5)
        var assignment = try assignment("third", settings)
        assignment.adapter = drawn
        let task = try NativeModel(base).task(Self.dialogues)
        _ = try await NativeTrainer(task, limits: limits).train(assignment) { _ in }
        #expect(told.last?.hasSuffix("it has 0 texts") == true)

        // With every block trained, or for one epoch under an adapter that changes, there is nothing to keep.
        let count = told.count
        try await train("all", settings, limits: TrainingLimits(trunk: trunk) { told.append($0) })
        try await train("one", ["epochs": .number(1)], limits: limits)
        #expect(told.count == count)
    }

    @Test func `a trunk's file keeps to its limit, and a path that cannot be written is said`() async throws {
        let settings: [String: TrainingSettings.Value] = ["epochs": .number(2)]
        let trunk = TrunkFile(path: folder + "/trunk", limit: 8_000)
        nonisolated(unsafe) var told: [String] = []
        try await train("computed", settings, limits: TrainingLimits(topBlocks: 1))
        try await train("kept", settings, limits: TrainingLimits(topBlocks: 1, trunk: trunk) { told.append($0) })
        #expect(try bytes("trunk").count <= 8_000 && bytes("trunk").count > 1_000)
        #expect(try distance("computed", "kept") < 1e-5)
        let nowhere = TrunkFile(path: folder + "/missing/trunk", limit: 8_000)
        try await train("none", settings, limits: TrainingLimits(topBlocks: 1, trunk: nowhere) { told.append($0) })
        #expect(told.last?.hasSuffix("cannot be written") == true)
        #expect(try distance("computed", "none") == 0)
    }

    @Test func `batches that are added up are one batch`() async throws {
        try await train("whole", ["batch_size": .number(4), "optimizer": .text("sgd")])
        try await train(
            "added",
            ["batch_size": .number(2), "gradient_accumulation_steps": .number(2), "optimizer": .text("sgd")])
        #expect(try distance("whole", "added") < 1e-6)
        try await train("two", ["optimizer": .text("sgd")])
        #expect(try distance("whole", "two") > 1e-5)
    }

    @Test func `a number of steps takes the place of epochs`() async throws {
        try await train("epochs", ["epochs": .number(2)])
        var settings: [String: TrainingSettings.Value] = ["max_steps": .number(4)]
        var assignment = try assignment("steps", settings)
        assignment.plan.settings["epochs"] = nil
        _ = try await NativeTrainer(try NativeModel(Self.base()).task(Self.dialogues)).train(assignment) { _ in }
        #expect(try bytes("epochs") == bytes("steps"))
        settings["epochs"] = .number(2)
        await #expect(throws: TrainingError.setting("max_steps", expected: "epochs or max_steps", found: "both")) {
            try await self.train("none", settings)
        }
    }

    /// LoRA+ moves B alone faster: by the ratio, in one step of SGD.
    @Test func `the ratio of learning rates is that of B`() async throws {
        let plain: [String: TrainingSettings.Value] = [
            "optimizer": .text("sgd"), "batch_size": .number(4), "momentum": .number(0),
        ]
        try await train("plain", plain)
        try await train("plus", plain.merging(["loraplus_lr_ratio": .number(8)]) { $1 })
        let start = try AdapterFile(path: try DecoderModelTests.Kind.llama.folder + "/adapter_model.safetensors")
        let files = try ["plain", "plus"].map { try AdapterFile(path: folder + "/" + $0) }
        for index in start.modules.indices {
            let old = try #require(ModuleFactors(start.modules[index]))
            let new = try files.map { try #require(ModuleFactors($0.modules[index])) }
            #expect(new[0].a == new[1].a)
            for place in old.b.indices {
                let (one, many) = (new[0].b[place] - old.b[place], new[1].b[place] - old.b[place])
                #expect(abs(many - 8 * one) < 1e-6 + 1e-3 * abs(many))
            }
        }
    }

    @Test func `a key that nobody reads is refused by name`() async throws {
        let error = await #expect(throws: TrainingError.self) {
            try await self.train("none", ["lora_dropout": .number(0.1)])
        }
        #expect(error.map { "\($0)" }?.contains("training.lora_dropout is 0.1") == true)
    }

    @Test func `a template needs its tokens`() async throws {
        let error = await #expect(throws: TrainingError.self) {
            try await self.train("none", ["template": .text("chatml")])
        }
        #expect(error.map { "\($0)" }?.contains("<|im_start|>") == true)
        #expect(throws: TrainingError.self) {
            try Self.base().writer(adapter: nil, merge: nil, template: "llama3", capacity: 40)
        }
    }

    @Test func `a long text is cut into parts, and every token is predicted once`() throws {
        let base = try Self.base()
        let text = (0..<100).map { String($0 % 10) }.joined()
        let examples = try base.prepare(
            DialogueSet([.text(text), .completion(prompt: text, completion: "x"), .text("ab")]),
            settings: TrainingSettings(["max_length": .number(16)]))
        // Of 101 tokens, with that for the end, the first is not predicted; a part begins with the last token before it.
        let lengths = (0..<examples.count).map { examples.tokens(of: $0).count }
        #expect(lengths == [16, 16, 16, 16, 16, 16, 11, 3])
        let predicted = (0..<examples.count - 1).reduce(0) { $0 + examples.isCounted(of: $1).dropFirst().count { $0 } }
        #expect(predicted == 100)
        for index in 1..<7 { #expect(examples.tokens(of: index).first == examples.tokens(of: index - 1).last) }
        #expect(throws: TrainingError.self) {
            try base.prepare(
                DialogueSet([.completion(prompt: text, completion: "x")]),
                settings: TrainingSettings(["max_length": .number(16)]))
        }
    }

    @Test func `only the layers of the highest blocks are trained and sent`() async throws {
        try await train("all")
        try await train("top", limits: TrainingLimits(topBlocks: 1))
        let (all, top) = (try AdapterFile(path: folder + "/all"), try AdapterFile(path: folder + "/top"))
        #expect(all.modules.count == 14 && top.modules.count == 7)
        #expect(top.modules.allSatisfy { $0.name.hasPrefix("model.layers.1.") })
        // One step sees the same loss, so what is below is computed.
        let whole: [String: TrainingSettings.Value] = ["batch_size": .number(4)]
        let losses = try await [train("1", whole).loss, train("2", whole, limits: TrainingLimits(topBlocks: 1)).loss]
        #expect(losses[0] == losses[1])
        await #expect(throws: TrainingError.option("--layers", expected: "top:1 to top:2", found: "top:3")) {
            try await self.train("none", limits: TrainingLimits(topBlocks: 3))
        }
    }

    /// Where the adapter of version 0 has no magnitudes yet, they begin as the norms of the rows, so nothing changes.
    @Test func `magnitudes begin as the norms of the rows, learn, and are sent`() async throws {
        let base = try Self.base()
        var first = try assignment("plain", ["batch_size": .number(4)])
        let plain = try await NativeTrainer(try NativeModel(base).task(Self.dialogues)).train(first) { _ in }
        // B is not zero in the fixture's adapter, so a new one is drawn.
        let shape = try AdapterShape(
            modules: base.layers.map {
                ModuleShape(name: $0.name, inputs: $0.inputs, outputs: $0.outputs, maximumRank: 2)
            })
        first.adapter = folder + "/new.safetensors"
        try writeDrawnAdapter(shape, to: first.adapter, seed: 2, a: 0.2)
        first.plan.ranks = shape.maximumRanks
        first.plan.scales = shape.maximumRanks.mapValues { _ in 2 }
        var dora = first
        dora.plan.dense = Dictionary(
            uniqueKeysWithValues: base.layers.map { ($0.name + TensorName.magnitude, [$0.outputs]) })
        dora.output = folder + "/dora"
        let task = try NativeModel(base).task(Self.dialogues)
        let one = try await NativeTrainer(task).train(first) { _ in }
        let other = try await NativeTrainer(task).train(dora) { _ in }
        #expect(abs(one.loss - other.loss) < 1e-4 && plain.samples == 4)
        let sent = try AdapterFile(path: dora.output)
        #expect(sent.dense.count == 14 && sent.modules.count == 14)
        for layer in base.layers {
            let magnitude = try #require(sent[dense: layer.name + TensorName.magnitude]).values.floats()
            let norms = WeightDirections.norms(of: layer.rows)
            #expect(zip(magnitude, norms).contains { abs($0 - $1) > 1e-4 }, "\(layer.name) learned no magnitude")
            #expect(zip(magnitude, norms).allSatisfy { abs($0 - $1) < 0.1 })
        }
        // What was sent is scored, and gone on with.
        let evaluation = try Evaluation(of: task, adapter: dora.output, scales: dora.plan.scales)
        dora.adapter = dora.output
        dora.output = folder + "/again"
        let next = try await NativeTrainer(task).train(dora) { _ in }
        #expect(abs(next.loss - evaluation.loss) < 1e-4)
    }

    @Test func `parts of a batch are the batch, and what cannot fit is refused with the least`() async throws {
        var parts = try Self.base()
        parts.tokenLimit = 1
        parts.logitRows = 16
        try await train("whole", ["batch_size": .number(4), "optimizer": .text("sgd")])
        let adapter = try ModelAdapter(path: try DecoderModelTests.Kind.llama.folder + "/adapter_model.safetensors")
        let layers = try adapter.adapt(of: parts, parts.layers, scales: try assignment("").plan.scales)
        let examples = try parts.prepare(Self.dialogues, settings: TrainingSettings())
        #expect(parts.parts(of: [0, 1, 2, 3], examples).map(Array.init) == [[0], [1], [2], [3]])
        parts.tokenLimit = 50
        #expect(parts.parts(of: [0, 1, 2, 3], examples).map(Array.init) == [[0, 1], [2, 3]])
        let error = #expect(throws: TrainingError.self) {
            try parts.fitted(
                to: TrainingLimits(memory: 1 << 20), layers: layers, examples: examples, settings: TrainingSettings())
        }
        guard case .option("--memory", let expected, let found)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(expected.hasPrefix("at least ") && expected.contains("MiB") && found == "1 MiB")
        // With the most memory there is nothing to give up.
        let fit = try #require(
            try parts.fitted(
                to: TrainingLimits(memory: 1 << 40), layers: layers, examples: examples, settings: TrainingSettings()))
        #expect(fit.base.tokenLimit == nil && fit.topBlocks == nil && fit.base.keptLayers > 0)
    }

    @Test(arguments: DecoderModelTests.Kind.allCases)
    func `what is gone on with token by token has the logits of the whole text`(kind: DecoderModelTests.Kind) throws {
        let file = try ModelFile(path: kind.folder)
        let base = try DecoderBase(file)
        let adapter = try ModelAdapter(path: kind.folder + "/adapter_model.safetensors")
        let scales = Dictionary(uniqueKeysWithValues: adapter.file.modules.map { ($0.name, 2.0) })
        let layers = try adapter.adapt(of: base, base.layers, scales: scales)
        let model = try base.model(layers, dense: [], settings: TrainingSettings(), batchLimit: 1)
        let continuation = DecoderContinuation(try DecoderWeights(file), layers: layers, capacity: 90, threads: 2)
        let tokens = (0..<80).map { Int32($0 * 37 % 300) }
        let expected = model.logits(of: tokens)
        func check(_ found: [Float], after count: Int) {
            let row = expected[(count - 1) * 300..<count * 300]
            #expect(zip(found, row).allSatisfy { abs($0 - $1) < 1e-4 }, "after \(count) tokens")
        }
        check(continuation.take(Array(tokens[..<70])), after: 70)
        for count in 71...75 { check(continuation.take([tokens[count - 1]]), after: count) }
        check(continuation.take(Array(tokens[75..<80])), after: 80)
        continuation.rewind(to: 3)
        check(continuation.take([tokens[3]]), after: 4)
    }

    @Test func `a text is written within its limits, and a conversation is not read twice`() throws {
        let writer = try Self.base().writer(adapter: nil, merge: nil, template: "plain", capacity: 40)
        var shown = ""
        let result = try writer.complete("abc", limit: 5) { shown += $0 }
        #expect(result.text == shown && result.read == 3 && result.written == 5 && result.end == .limit)
        #expect(try writer.complete("abcde", limit: 2).read == 2)
        #expect(try writer.complete("abcde", limit: 2).read == 1)
        // What was written last was not read yet.
        for seed in 0..<40 as Range<UInt64> {
            let text = try writer.complete("abc", limit: 1, sampling: Sampling(temperature: 2), seed: seed).text
            #expect(try writer.complete("abc" + text + "d", limit: 1).read >= 1)
        }
        let full = try writer.complete("abc", limit: 1_000)
        #expect(full.end == .full && full.written == 37)
        #expect(throws: TrainingError.self) { try writer.complete(String(repeating: "a", count: 40), limit: 1) }
        let drawn = try (0..<2).map { _ in
            try writer.complete("abc", limit: 8, sampling: Sampling(temperature: 1, topK: 20, topP: 0.9), seed: 4).text
        }
        #expect(drawn[0] == drawn[1])
    }

    @Test func `tokens are drawn from the most likely ones`() {
        var generator = SeededGenerator(seed: 1, stream: "draws")
        let logits: [Float] = [0, 3, 2, -1]
        #expect(Sampling().choose(logits, using: &generator) == 1)
        let narrow = Sampling(temperature: 1, topP: 0.5)
        #expect((0..<20).allSatisfy { _ in narrow.choose(logits, using: &generator) == 1 })
        let two = Sampling(temperature: 5, topK: 2)
        let drawn = Set((0..<200).map { _ in two.choose(logits, using: &generator) })
        #expect(drawn == [1, 2])
    }
}
