import AdapterFormat
import Foundation
import TestStage
import Testing

/// `rankwise-lab aggregate` over real files: where paths begin, and what a case may hold.
@Suite(.ownThread) final class AggregateCommandTests {
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder + "/inner", withIntermediateDirectories: true)
        // One of the same name in the folder above, whose numbers must not be taken.
        for (path, value) in [("a.safetensors", Float(9)), ("inner/a.safetensors", 1)] {
            let layout = try SafetensorsLayout(tensors: [
                .init(name: "base_model.model.m.lora_A.weight", type: .f32, shape: [1, 1]),
                .init(name: "base_model.model.m.lora_B.weight", type: .f32, shape: [1, 1]),
            ])
            let bytes = layout.head + [value, value].withUnsafeBytes { Array($0) }
            try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(path)"))
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private func run(_ arguments: String, in place: String) throws -> (status: Int32?, text: String) {
        let program = try Program(
            [
                "/bin/sh", "-c",
                "cd '\(folder)/\(place)' && '\(try Program.builtFolder())/rankwise-lab' aggregate \(arguments) 2>&1",
            ])
        let text = program.lines().joined(separator: "\n")
        return (program.exitStatus(), text)
    }

    private func result(_ out: String) throws -> [Float]? {
        try AdapterFile(SafetensorsFile(path: "\(folder)/\(out)/adapter.safetensors"))[module: "m"]?.a?.floats()
    }

    @Test func `relative paths begin at the working directory, and a case's at its folder`() throws {
        let options = "--strategy rbla --rank 1 --update a.safetensors:samples=1"
        #expect(try run(options + " --previous a.safetensors --out out", in: "inner").status == 0)
        #expect(try result("inner/out") == [1])
        try Data(
            #"{"strategy":"rbla","rank":1,"scaling":{"mode":"constant","value":1},"updates":[{"file":"a.safetensors","samples":1}]}"#
                .utf8
        )
        .write(to: URL(fileURLWithPath: folder + "/inner/case.json"))
        #expect(try run("--case inner/case.json --out other", in: ".").status == 0)
        #expect(try result("other") == [1])
    }

    private static let vectors = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../AggregationTests/Fixtures/vectors").standardized.path

    @Test func `the cases of the reference vectors are taken as they are`() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.vectors).sorted()
        #expect(names.count > 20)
        for name in names {
            let (status, text) = try run("--case '\(Self.vectors)/\(name)/case.json' --out 'out-\(name)'", in: ".")
            #expect(status == 0, "\(name): \(text)")
        }
        let expected = try AdapterFile(SafetensorsFile(path: Self.vectors + "/rbla/expected-adapter.safetensors"))
        let found = try AdapterFile(SafetensorsFile(path: folder + "/out-rbla/adapter.safetensors"))
        #expect(found.modules.map(\.name) == expected.modules.map(\.name))
        for module in expected.modules {
            let (one, other) = (module.b?.floats() ?? [], found[module: module.name]?.b?.floats() ?? [])
            #expect(one.count == other.count && zip(one, other).allSatisfy { abs($0 - $1) < 1e-5 })
        }
    }

    @Test(arguments: [
        (#""scale": 3"#, "scale is 3.0; the scaling gives 1.0 at rank 1"),
        (#""gamma": 0.5"#, "rbla has no parameter gamma; it has none"),
        (
            #""updates": [{"file": "a.safetensors", "samples": 1, "rank": 2}]"#,
            "a.safetensors: rank is 2; the highest in the file is 1"
        ),
        (#""updates": [{"file": "a.safetensors", "samples": 1, "weight": 2}]"#, "updates.0.weight is not a known key"),
        (
            #""scaling": {"mode": "constant", "value": 1, "alpha": 2}"#,
            "the scaling is constant with a value alone, or lora or rslora with an alpha alone"
        ),
        (#""scaling": {"mode": "constant", "value": 1, "factor": 2}"#, "scaling.factor is not a known key"),
    ])
    func `what a case says twice must agree, and a parameter must be the strategy's`(
        key: String, sentence: String
    ) throws {
        let members = [
            #""strategy":"rbla""#, #""rank":1"#, #""scaling":{"mode":"constant","value":1}"#,
            #""updates":[{"file":"a.safetensors","samples":1}]"#,
        ].filter { $0.split(separator: ":")[0] != key.split(separator: ":")[0] }
        try Data("{\((members + [key]).joined(separator: ","))}".utf8)
            .write(to: URL(fileURLWithPath: folder + "/case.json"))
        let (status, text) = try run("--case case.json --out out", in: ".")
        #expect(status != 0 && text.contains(sentence), "\(text)")
    }

    @Test(arguments: [
        "--round 2", "--seed 3", "--weighting uniform", "--previous a.safetensors", "--scaling lora", "--alpha 2",
        "--parameter ridge=1", "--strategy rbla",
    ])
    func `an option that a case says itself is refused beside it`(option: String) throws {
        try Data("{}".utf8).write(to: URL(fileURLWithPath: folder + "/case.json"))
        let (status, text) = try run("--case case.json --out out \(option)", in: ".")
        #expect(status != 0 && text.contains("\(option.split(separator: " ")[0]) goes without --case"), "\(text)")
    }

    @Test(arguments: [
        ("--update a.safetensors:samples=1,samples=2", "--update"),
        (
            "--update a.safetensors:samples=1 --parameter ridge=1 --parameter ridge=2",
            "--parameter ridge is given twice"
        ),
        ("--update a.safetensors:samples=1 --parameter gamma=1", "rbla has no parameter gamma"),
    ])
    func `what the command line says twice, or no strategy knows, is refused`(options: String, sentence: String) throws
    {
        let (status, text) = try run("--strategy rbla --rank 1 --out out \(options)", in: ".")
        #expect(status != 0 && text.contains(sentence), "\(text)")
    }

    /// A case of the reference vectors with absolute paths and client names, cut to some of its updates.
    private func part(of name: String, _ members: [Int], as file: String, sum: String? = nil) throws {
        let url = URL(fileURLWithPath: "\(Self.vectors)/\(name)")
        let data = try Data(contentsOf: url.appendingPathComponent("case.json"))
        var round = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let updates = try #require(round["updates"] as? [[String: Any]])
        round["updates"] = members.map { index in
            var update = updates[index]
            update["file"] = url.path + "/" + (update["file"] as? String ?? "")
            update["client"] = "edge-\(index)"
            return update
        }
        // The last adapter gives a part the modules that its own updates lack.
        if let previous = round["previous"] as? String { round["previous"] = url.path + "/" + previous }
        round["sum"] = sum
        try JSONSerialization.data(withJSONObject: round).write(to: URL(fileURLWithPath: "\(folder)/\(file).json"))
    }

    private func bytes(_ path: String) throws -> Data {
        try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(path)"))
    }

    @Test(arguments: ["rbla", "rbla-uncovered-rows", "zeropad", "fedavg", "ffa", "rolora-odd", "rolora-even"])
    func `parts combine to what one exact sum publishes, by way of a region too`(name: String) throws {
        try part(of: name, [0, 1, 2], as: "whole", sum: "exact")
        #expect(try run("--case whole.json --out whole", in: ".").status == 0)
        for (file, members) in [("one", [2]), ("two", [0]), ("three", [1])] {
            try part(of: name, members, as: file)
            let (status, text) = try run("--case \(file).json --partial \(file).safetensors", in: ".")
            #expect(status == 0, "\(text)")
        }
        let hasPrevious = FileManager.default.fileExists(atPath: "\(Self.vectors)/\(name)/previous.safetensors")
        let previous = hasPrevious ? "--previous '\(Self.vectors)/\(name)/previous.safetensors'" : ""
        #expect(try run("--combine one.safetensors two.safetensors --partial region", in: ".").status == 0)
        for parts in ["three.safetensors two.safetensors one.safetensors", "region three.safetensors"] {
            let (status, text) = try run("--combine \(parts) --out combined \(previous)", in: ".")
            #expect(status == 0, "\(text)")
            #expect(try bytes("combined/adapter.safetensors") == bytes("whole/adapter.safetensors"))
        }
        let (status, text) = try run("--combine region two.safetensors --out overlap", in: ".")
        #expect(status != 0 && text.contains("two.safetensors: edge-0 is in two parts"), "\(text)")
    }

    @Test(arguments: [
        (
            "--strategy rbla --rank 1 --update a.safetensors:samples=1 --sum exact --out out --partial p",
            "Give either --out"
        ),
        ("--combine p --sum exact --out out", "--sum goes without --combine"),
        ("--combine p --case c --out out", "--case goes without --combine"),
        ("--combine p --previous a.safetensors --partial q", "--previous goes with --out"),
        ("--strategy rbla --rank 1 --update a.safetensors:samples=1 --dtype F16 --partial p", "--dtype goes without"),
        ("--combine missing --out out", "missing: the file cannot be read"),
        ("--combine a.safetensors --out out", "a.safetensors: base_model.model.m.lora_A.weight is F32; expected I64"),
        ("--strategy flora --rank 1 --update a.safetensors:samples=1 --partial p", "it is not a row sum"),
        ("--strategy rbla --rank 1 --update a.safetensors:samples=1 --sum float --partial p", "partial sums are exact"),
        ("--strategy rbla --rank 1 --update a.safetensors:samples=1 --sum double --out out", "expected float or exact"),
        (
            "--strategy rbla --rank 1 --update a.safetensors:samples=900000000000 --sum exact --out out",
            "00000000: its weight is 900000000000.0; an exact sum"
        ),
    ])
    func `what parts cannot be is refused by name`(options: String, sentence: String) throws {
        let (status, text) = try run(options, in: ".")
        #expect(status != 0 && text.contains(sentence), "\(text)")
        #expect(!FileManager.default.fileExists(atPath: folder + "/p"))
    }

    @Test(arguments: [
        (#""novelty": 1"#, "novelty is not a known key"), (#""rank": 2"#, "rank appears twice"),
        (#""server": {"optimizer": "adam", "rate": 1}"#, "server.rate is not a known key"),
        (#""updates2": []"#, "updates2 is not a known key"),
    ])
    func `a key that a case does not know is refused by name`(key: String, sentence: String) throws {
        try Data(
            #"{"strategy":"rbla","rank":1,"scaling":{"mode":"constant","value":1},"updates":[],\#(key)}"#.utf8
        ).write(to: URL(fileURLWithPath: folder + "/case.json"))
        let (status, text) = try run("--case case.json --out out", in: ".")
        #expect(status != 0 && text.contains(sentence), "\(text)")
    }
}
