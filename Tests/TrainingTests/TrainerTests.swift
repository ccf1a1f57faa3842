import AdapterFormat
import AdapterOperations
import Foundation
import LinearAlgebra
import Testing
import TrainingData

@testable import Training

/// Both trainers on real files, in a folder that goes with the test.
@Suite final class TrainerTests {
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// Two clouds of points, one a class.
    private static let data: DataSet = {
        var generator = SeededGenerator(seed: 4, stream: "clouds")
        let labels = (0..<60).map { $0 % 2 }
        let features = labels.flatMap { label in
            (0..<4).map { Float(label * 2 - 1) * Float($0 % 2 + 1) + generator.uniform(within: 0.5) }
        }
        return DataSet(width: 4, features: features, labels: labels)
    }()

    /// An adapter that changes nothing yet, and the plan to train it.
    private func assignment(output: String = "trained", settings: [String: TrainingSettings.Value] = [:]) throws
        -> TrainingAssignment
    {
        let shape = try AdapterShape(modules: [
            ModuleShape(name: "fc1", inputs: 4, outputs: 8, maximumRank: 2),
            ModuleShape(name: "fc2", inputs: 8, outputs: 2, maximumRank: 3),
        ])
        let path = folder + "/adapter_model.safetensors"
        try writeDrawnAdapter(shape, to: path, seed: 1, a: 0.5)
        let configuration = folder + "/adapter_config.json"
        try "{}".write(toFile: configuration, atomically: true, encoding: .utf8)
        let plan = TrainingPlan(
            round: 1, ranks: ["fc1": 2, "fc2": 3], scales: ["fc1": 1, "fc2": 1], seed: 11,
            settings: TrainingSettings(settings), json: Array(#"{"round": 1}"#.utf8))
        return TrainingAssignment(
            adapter: path, configuration: configuration, plan: plan, output: folder + "/" + output)
    }

    /// The distance between the numbers of two adapter files.
    private func distance(_ one: String, _ other: String) throws -> Float {
        let files = try [one, other].map { try AdapterFile(path: $0) }
        var sum: Float = 0
        for (first, second) in zip(files[0].modules, files[1].modules) {
            let (first, second) = (try #require(ModuleFactors(first)), try #require(ModuleFactors(second)))
            for (one, other) in zip(first.a + first.b, second.a + second.b) { sum += (one - other) * (one - other) }
        }
        return sum.squareRoot()
    }

    @Test func `FedProx keeps the adapter near what the round began with`() async throws {
        let task = try NativeModel(PerceptronBase(name: "mlp-4-8-2", seed: 2)).task(Self.data)
        var distances: [Float] = []
        let usual: [String: TrainingSettings.Value] = [
            "epochs": .number(4), "batch_size": .number(10), "learning_rate": .number(0.05),
        ]
        for mu in [0.0, 0.5, 5] {
            let assignment = try assignment(
                output: "trained-\(mu)", settings: usual.merging(["proximal_mu": .number(mu)]) { $1 })
            _ = try await NativeTrainer(task).train(assignment) { _ in }
            distances.append(try distance(assignment.adapter, assignment.output))
        }
        #expect(distances[0] > 1.2 * distances[1] && distances[1] > 1.2 * distances[2] && distances[2] > 0)
        // Without it nothing changes, and one step of it is none: w is still w₀.
        let plain = try assignment(output: "plain", settings: usual)
        _ = try await NativeTrainer(task).train(plain) { _ in }
        #expect(try bytes(plain.output) == bytes(folder + "/trained-0.0"))
        for (name, mu) in [("one", 0.0), ("pulled", 5)] {
            _ = try await NativeTrainer(task).train(
                try assignment(
                    output: name,
                    settings: ["max_steps": .number(1), "learning_rate": .number(0.05), "proximal_mu": .number(mu)])
            ) { _ in }
        }
        #expect(try bytes(folder + "/one") == bytes(folder + "/pulled"))
        await #expect(throws: TrainingError.self) {
            _ = try await NativeTrainer(task).train(
                try self.assignment(settings: ["proximal_mu": .number(-1)])
            ) { _ in }
        }
    }

    private func bytes(_ path: String) throws -> Data { try #require(FileManager.default.contents(atPath: path)) }

    @Test func `training learns, keeps the shapes and is the same for the same seed`() async throws {
        let trainer = try NativeTrainer(ModelRegistry.model(named: "mlp-4-8-2", seed: 2).task(Self.data))
        let settings: [String: TrainingSettings.Value] = [
            "epochs": .number(20), "batch_size": .number(8), "learning_rate": .number(0.05),
        ]
        let first = try assignment(output: "first", settings: settings)
        let outcome = try await trainer.train(first) { _ in }
        #expect(outcome.samples == 60 && (outcome.accuracy ?? 0) > 0.95)
        let again = try assignment(output: "again", settings: settings)
        #expect(try await trainer.train(again) { _ in } == outcome)
        #expect(try bytes(first.output) == bytes(again.output))
        #expect(try AdapterFile(try SafetensorsFile(path: first.output)).ranks == ["fc1": 2, "fc2": 3])
        let result = try Evaluation(
            of: ModelRegistry.model(named: "mlp-4-8-2", seed: 2).task(Self.data), adapter: first.output,
            scales: first.plan.scales)
        #expect(result.accuracy > 0.95)
    }

    @Test(arguments: ["sgd", "adamw"])
    func `one thread and two come to the same bytes`(optimizer: String) throws {
        // Wide enough for the optimizer to take two threads, in batches that do not halve.
        let shape = try AdapterShape(modules: [
            ModuleShape(name: "fc1", inputs: 4, outputs: 250, maximumRank: 65),
            ModuleShape(name: "fc2", inputs: 250, outputs: 2, maximumRank: 65),
        ])
        let path = folder + "/wide.safetensors"
        try writeDrawnAdapter(shape, to: path, seed: 1, a: 0.5)
        var assignment = try assignment(
            settings: ["epochs": .number(1), "batch_size": .number(13), "optimizer": .text(optimizer)])
        assignment.adapter = path
        let task = try ModelRegistry.model(named: "mlp-4-250-2", seed: 2).task(Self.data)
        var outputs: [Data] = []
        for (name, task) in [("two", task), ("one", task.onOneThread)] {
            assignment.output = folder + "/" + name
            _ = try task.train(assignment, limits: TrainingLimits(), isCancelled: { false }, progress: { _ in })
            outputs.append(try bytes(assignment.output))
        }
        #expect(outputs[0] == outputs[1])
        #expect(try outputs[0] != bytes(path))
    }

    @Test func `only the factors that the plan names are trained`() async throws {
        let trainer = try NativeTrainer(ModelRegistry.model(named: "mlp-4-8-2", seed: 2).task(Self.data))
        var assignment = try assignment()
        assignment.plan.train = [.b]
        _ = try await trainer.train(assignment) { _ in }
        let before = try AdapterFile(try SafetensorsFile(path: assignment.adapter))
        let after = try AdapterFile(try SafetensorsFile(path: assignment.output))
        for name in ["fc1", "fc2"] {
            #expect(before[module: name]?.a?.floats() == after[module: name]?.a?.floats())
            #expect(before[module: name]?.b?.floats() != after[module: name]?.b?.floats())
        }
    }

    @Test(arguments: TrainingPlan.Factor.allCases) func `only the factors that the plan names are sent`(
        factor: TrainingPlan.Factor
    ) async throws {
        let trainer = try NativeTrainer(ModelRegistry.model(named: "mlp-4-8-2", seed: 2).task(Self.data))
        var assignment = try assignment()
        let whole = try await trainer.train(assignment) { _ in }
        let both = try AdapterFile(try SafetensorsFile(path: assignment.output))
        assignment.plan.send = [factor]
        assignment.output = folder + "/one"
        #expect(try await trainer.train(assignment) { _ in } == whole)
        let one = try AdapterFile(try SafetensorsFile(path: assignment.output))
        #expect(one.ranks == both.ranks)
        for name in ["fc1", "fc2"] {
            let (sent, all) = (one[module: name], both[module: name])
            #expect((sent?.a == nil, sent?.b == nil) == (factor == .b, factor == .a))
            #expect(factor == .b || sent?.a?.floats() == all?.a?.floats())
            #expect(factor == .a || sent?.b?.floats() == all?.b?.floats())
        }
        assignment.plan.send = []
        await #expect(throws: TrainingError.setting("send", expected: "A, B or both", found: "none of them")) {
            try await trainer.train(assignment) { _ in }
        }
    }

    @Test func `a pruning plan drives the tail towards zero`() async throws {
        let trainer = try NativeTrainer(ModelRegistry.model(named: "mlp-4-8-2", seed: 2).task(Self.data))
        var assignment = try assignment()
        func tail(_ pruning: RankPruning?) async throws -> Double {
            assignment.plan.pruning = pruning
            _ = try await trainer.train(assignment) { _ in }
            return try PrunedComponentNorms(of: assignment.output, pruning: Self.pruning).modules.values.reduce(0, +)
        }
        let free = try await tail(nil)
        #expect(free > 0)
        #expect(try await tail(Self.pruning) < free / 2)
        #expect(
            try PrunedComponentNorms(of: assignment.adapter, pruning: Self.pruning).modules.values.reduce(0, +) == 0)
    }

    private static let pruning = RankPruning(gamma: 0.5, penalty: 0.5, minRank: 1)

    @Test func `data or settings that do not fit are named`() async throws {
        #expect(throws: TrainingError.data(reason: "an example has 4 features; the model takes 5")) {
            try NativeTrainer(ModelRegistry.model(named: "mlp-5-2", seed: 0).task(Self.data))
        }
        let trainer = try NativeTrainer(ModelRegistry.model(named: "mlp-4-8-2", seed: 2).task(Self.data))
        let odd = try assignment(settings: ["optimizer": .text("adam")])
        await #expect(throws: TrainingError.setting("optimizer", expected: "\"sgd\" or \"adamw\"", found: "\"adam\"")) {
            try await trainer.train(odd) { _ in }
        }
        let wild = try assignment(settings: ["learning_rate": .number(1e6)])
        await #expect(throws: TrainingError.self) { try await trainer.train(wild) { _ in } }
        #expect(!FileManager.default.fileExists(atPath: wild.output))
    }

    @Test func `a cancelled training leaves nothing`() async throws {
        let trainer = try NativeTrainer(ModelRegistry.model(named: "mlp-4-8-2", seed: 2).task(Self.data))
        let endless = try assignment(settings: ["epochs": .number(1_000_000)])
        let training = Task { try await trainer.train(endless) { _ in } }
        training.cancel()
        await #expect(throws: TrainingError.cancelled) { try await training.value }
        #expect(!FileManager.default.fileExists(atPath: endless.output))
    }

    @Test func `training that takes too long is given up`() async throws {
        let limit = Duration.milliseconds(20)
        let trainer = try NativeTrainer(ModelRegistry.model(named: "mlp-4-8-2", seed: 2).task(Self.data), limit: limit)
        let endless = try assignment(settings: ["epochs": .number(1_000_000)])
        await #expect(throws: TrainingError.tooLong(limit)) { try await trainer.train(endless) { _ in } }
        #expect(!FileManager.default.fileExists(atPath: endless.output))
    }

    @Test func `a command that waits for all that it started waits for nothing else`() async throws {
        let script = folder + "/train.sh"
        try """
        sleep 0 &
        wait
        cp "$1/adapter_model.safetensors" "$2" && echo '{"samples": 6, "loss": 0.5}' >"$2/metrics.json"
        """.write(toFile: script, atomically: true, encoding: .utf8)
        for command in ["wait; sh '\(script)'", "bash '\(script)'"] {
            let trainer = CommandTrainer(command: command, data: "", timeout: .seconds(30))
            #expect(try await trainer.train(assignment()) { _ in }.samples == 6)
        }
    }

    @Test func `a command trains by its folder contract`() async throws {
        let script = folder + "/train.sh"
        try """
        cp "$1/adapter_model.safetensors" "$2/" && test -s "$1/adapter_config.json" && grep -q round "$1/plan.json" &&
        test "$RANKWISE_DATA" = some.csv && echo '{"samples": 6, "loss": 0.5, "accuracy": 0.75}' >"$2/metrics.json"
        """.write(toFile: script, atomically: true, encoding: .utf8)
        let assignment = try assignment()
        let outcome = try await CommandTrainer(command: "sh \(script)", data: "some.csv").train(assignment) { _ in }
        #expect(outcome == TrainingOutcome(samples: 6, loss: 0.5, accuracy: 0.75))
        #expect(try bytes(assignment.output) == bytes(assignment.adapter))
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder).allSatisfy {
                !$0.hasSuffix(".in") && !$0.hasSuffix(".out")
            })
    }

    @Test func `a command evaluates by the task in its plan, and leaves any numbers`() async throws {
        let script = folder + "/train.sh"
        try """
        grep -q '^{"task":"evaluate","round' "$1/plan.json" && test -s "$1/adapter_model.safetensors" &&
        echo '{"samples": 6, "loss": 0.5, "rouge_l": 0.25, "accuracy": null}' >"$2/metrics.json"
        """.write(toFile: script, atomically: true, encoding: .utf8)
        let assignment = try assignment()
        let trainer = CommandTrainer(command: "sh \(script)", data: "some.csv", evaluates: true)
        #expect(
            try await trainer.evaluate(assignment)
                == EvaluationOutcome(samples: 6, metrics: ["loss": 0.5, "rouge_l": 0.25]))
        #expect(!FileManager.default.fileExists(atPath: assignment.output))
        #expect(trainer.evaluates && !CommandTrainer(command: "", data: "").evaluates)
    }

    @Test(arguments: [
        (#"{"loss": 0.5}"#, "samples is no whole number of 0 or more"),
        (#"{"samples": 1.5, "loss": 0.5}"#, "samples is no whole number of 0 or more"),
        (#"{"samples": 2, "loss": "low"}"#, "loss is no number"), ("[]", "it is not sound JSON"),
    ])
    func `an evaluation's metrics that cannot be used are refused by the key`(
        metrics: String, reason: String
    ) async throws {
        let script = folder + "/train.sh"
        try "echo '\(metrics)' >\"$2/metrics.json\"\n".write(toFile: script, atomically: true, encoding: .utf8)
        await #expect(throws: TrainingError.command(reason: "left a metrics.json of no use: \(reason)")) {
            try await CommandTrainer(command: "sh \(script)", data: "", evaluates: true).evaluate(assignment())
        }
    }

    @Test func `a command without held-out examples says so`() async throws {
        let trainer = CommandTrainer(
            command: #"f() { echo '{"samples": 0}' >"$2/metrics.json"; }; f"#, data: "", evaluates: true)
        #expect(try await trainer.evaluate(assignment()) == .withoutData)
    }

    @Test(arguments: [(" {}", #"{"task":"evaluate"}"#), ("{\n\"a\":1}", "{\"task\":\"evaluate\",\n\"a\":1}")])
    func `a plan's bytes stay as they are beside the task`(plan: String, marked: String) {
        #expect(CommandTrainer.json(Array(plan.utf8), withTask: "evaluate") == Array(marked.utf8))
    }

    @Test(arguments: [
        ("exit 3 #", "exited with status 3"), ("no-such-command #", "was not found (status 127)"),
        ("true", "exited with status 0 and left no adapter_model.safetensors"),
        ("kill -9 $$ #", "exited with status 137"),
    ])
    func `a command that fails says how`(command: String, reason: String) async throws {
        let assignment = try assignment()
        await #expect(throws: TrainingError.command(reason: reason)) {
            try await CommandTrainer(command: "sh -c '\(command)'", data: "").train(assignment) { _ in }
        }
    }

    @Test func `a command that abstains or asks not to be run again is told from one that fails`() async throws {
        let assignment = try assignment()
        await #expect(throws: TrainingError.abstained(reason: "abstains from this round (status 75)")) {
            try await CommandTrainer(command: "exit 75 #", data: "").train(assignment) { _ in }
        }
        await #expect(throws: TrainingError.stopped(reason: "asks not to be run again (status 78)")) {
            try await CommandTrainer(command: "exit 78 #", data: "").train(assignment) { _ in }
        }
    }

    @Test func `a command inherits no open file`() async throws {
        let file = open(folder + "/open", O_RDWR | O_CREAT, 0o600)
        defer { close(file) }
        let assignment = try assignment()
        // 75 only where the descriptor is not there.
        await #expect(throws: TrainingError.abstained(reason: "abstains from this round (status 75)")) {
            try await CommandTrainer(command: "test -e /proc/self/fd/\(file) || exit 75 #", data: "").train(
                assignment
            ) { _ in }
        }
    }

    @Test(
        arguments: [
            (#"{"samples": 6, "loss": 0.5}"#, nil), (#"{"samples": 6, "loss": 0.5, "accuracy": null}"#, nil),
            (#"{"samples": 6, "loss": 0.5, "accuracy": 0.75}"#, 0.75),
        ] as [(String, Double?)])
    func `a command need not tell an accuracy`(metrics: String, accuracy: Double?) async throws {
        let script = folder + "/train.sh"
        try "cp \"$1/adapter_model.safetensors\" \"$2\"; echo '\(metrics)' >\"$2/metrics.json\"\n"
            .write(toFile: script, atomically: true, encoding: .utf8)
        let outcome = try await CommandTrainer(command: "sh \(script)", data: "").train(assignment()) { _ in }
        #expect(outcome == TrainingOutcome(samples: 6, loss: 0.5, accuracy: accuracy))
    }

    @Test(arguments: [
        (#"{"samples": 6, "loss": 0.5, "accuracy": "high"}"#, "accuracy is no number"),
        (#"{"samples": 6}"#, "loss is missing"), (#"{"samples": "six", "loss": 0.5}"#, "samples is no whole number"),
        (#"{"samples": -1, "loss": 0.5}"#, "samples is -1; expected 0 or more"), ("{", "it is not sound JSON"),
    ])
    func `metrics that cannot be used are refused by the key`(metrics: String, reason: String) async throws {
        let script = folder + "/train.sh"
        try "cp \"$1/adapter_model.safetensors\" \"$2\"; echo '\(metrics)' >\"$2/metrics.json\"\n"
            .write(toFile: script, atomically: true, encoding: .utf8)
        await #expect(throws: TrainingError.command(reason: "left a metrics.json of no use: \(reason)")) {
            try await CommandTrainer(command: "sh \(script)", data: "").train(assignment()) { _ in }
        }
    }

    @Test(arguments: ["printf no", #"printf '\2\0\0\0\0\0\0\0{}'; printf x"#])
    func `a command that leaves what is no adapter has failed`(content: String) async throws {
        let script = folder + "/train.sh"
        try """
        { \(content); } >"$2/adapter_model.safetensors"
        echo '{"samples": 6, "loss": 0.5, "accuracy": 0.75}' >"$2/metrics.json"
        """.write(toFile: script, atomically: true, encoding: .utf8)
        let assignment = try assignment()
        let error = await #expect(throws: TrainingError.self) {
            try await CommandTrainer(command: "sh \(script)", data: "").train(assignment) { _ in }
        }
        #expect("\(String(describing: error))".contains("of no use"))
        #expect(!FileManager.default.fileExists(atPath: assignment.output))
    }

    @Test(arguments: ["exit 0", "exit 3", "kill -9 $$", "trap '' TERM; while :; do sleep 1; done"])
    func `whatever a command leaves running goes with it`(ending: String) async throws {
        let pipe = folder + "/alive"
        #expect(mkfifo(pipe, 0o600) == 0)
        let reader = open(pipe, O_RDONLY | O_NONBLOCK)
        defer { close(reader) }
        let script = folder + "/train.sh"
        // The child holds the pipe open for as long as it lives.
        try "exec 3>\(pipe); (trap '' TERM HUP; exec sleep 600) & \(ending)\n".write(
            toFile: script, atomically: true, encoding: .utf8)
        let assignment = try assignment()
        let trainer = CommandTrainer(
            command: "sh \(script)", data: "", timeout: .milliseconds(300), grace: .milliseconds(100))
        await #expect(throws: TrainingError.self) { try await trainer.train(assignment) { _ in } }
        // With its last writer gone a pipe is at its end; poll tells when.
        var state = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
        #expect(poll(&state, 1, 60_000) == 1)
        var byte: UInt8 = 0
        #expect(read(reader, &byte, 1) == 0)
    }

    @Test func `a command that takes too long is stopped, and so is one whose task is cancelled`() async throws {
        let slow = try assignment(output: "slow")
        let trainer = CommandTrainer(command: "sleep 60 #", data: "", timeout: .milliseconds(50))
        let error = await #expect(throws: TrainingError.self) { try await trainer.train(slow) { _ in } }
        #expect("\(String(describing: error))".contains("ran longer than"))
        let cancelled = try assignment(output: "cancelled")
        let training = Task { try await CommandTrainer(command: "sleep 60 #", data: "").train(cancelled) { _ in } }
        training.cancel()
        await #expect(throws: TrainingError.cancelled) { try await training.value }
    }
}
