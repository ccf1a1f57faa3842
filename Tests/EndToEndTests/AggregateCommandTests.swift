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
