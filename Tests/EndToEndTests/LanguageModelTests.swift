import AdapterFormat
import AdapterOperations
import Foundation
import TestStage
import Testing

/// Clients that train a tiny language model from its folder, through a real server, and what comes out of it.
@Suite(.ownThread) struct LanguageModelTests {
    private static let llama = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../TrainingTests/Fixtures/decoder/llama").standardized.path

    /// The fixture's weights, with a tokenizer of a token for each letter.
    private func base(_ folder: TemporaryFolder) throws -> String {
        let path = folder.path("base")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        for name in ["config.json", "model.safetensors"] {
            try FileManager.default.copyItem(atPath: "\(Self.llama)/\(name)", toPath: "\(path)/\(name)")
        }
        let letters = (33...126).map { String(UnicodeScalar($0)) } + ["Ġ", "Ċ"]
        let vocabulary = Dictionary(uniqueKeysWithValues: letters.enumerated().map { ($1, $0) })
        let tokenizer = """
            {"version": "1.0", "added_tokens": [], "normalizer": null, "post_processor": null, "truncation": null,
             "padding": null,
             "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
             "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
             "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                       "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                       "vocab": \(String(decoding: try JSONEncoder().encode(vocabulary), as: UTF8.self)), "merges": []}}
            """
        _ = try folder.write("base/tokenizer.json", Array(tokenizer.utf8))
        return path
    }

    private func run(_ program: String, _ arguments: [String], _ environment: [String: String] = [:]) throws -> String {
        let program = try Program(
            [Program.builtFolder() + "/" + program] + arguments, environment: environment, errors: .merged)
        let text = program.text()
        try #require(program.exitStatus() == 0, "\(arguments): \(text)")
        return text
    }

    @Test func `clients train a language model from its folder, and its adapter writes text and opens elsewhere`()
        throws
    {
        let stage = try AdminStage()
        let base = try base(stage.folder)
        let texts = (0..<8).map { "{\"text\": \"the cat \($0) sat on the mat\"}\n" }.joined()
        let data = try stage.folder.write("texts.jsonl", Array(texts.utf8))
        var settings = try run(
            "rankwise-lab",
            [
                "settings", "--base", base, "--id", "tales", "--rank", "4", "--rounds", "2", "--clients", "2",
                "--max-length", "32",
            ])
        settings = settings.replacing("learning_rate: 0.0005", with: "learning_rate: 0.02")
        _ = try stage.admin("create", stage.folder.write("tales.yaml", Array(settings.utf8)))
        var clients: [Program] = []
        for (name, rank, further) in [("whole", "2", ["--memory", "1GiB"]), ("top", "4", ["--layers", "top:1"])] {
            let kit = stage.folder.path(name + ".kit")
            _ = try stage.admin("kit", "tales", "--out", kit, "--name", name, "--rank", rank)
            clients.append(
                try Program(
                    [
                        Program.builtFolder() + "/rankwise-client", "join", "--kit", kit, "--base", base, "--data",
                        data,
                        "--give-up-after", "60", "--state", stage.folder.path("state-" + name),
                    ] + further, errors: .merged))
        }
        let said = clients.map { $0.text() }
        #expect(clients.map { $0.exitStatus() } == [0, 0], "\(said)")
        #expect(said[0].contains("memory: about ") && said[0].contains("of 1024 MiB"), "\(said[0])")

        let out = stage.folder.path("out")
        let reader = ["RANKWISE_TOKEN": AdminStage.token]
        _ = try run("rankwise-client", ["export", stage.url, "--federation", "tales", "--out", out], reader)
        let adapter = try AdapterFile(path: out + "/adapter_model.safetensors")
        #expect(adapter.modules.count == 14 && adapter.ranks.values.allSatisfy { $0 == 4 })
        let alone = try run("rankwise-client", ["evaluate", "--base", base, "--data", data])
        let adapted = try run("rankwise-client", ["evaluate", out, "--base", base, "--data", data])
        #expect(try perplexity(adapted) < 0.8 * perplexity(alone), "\(alone) \(adapted)")
        let text = try run(
            "rankwise-client",
            [
                "generate", "--base", base, "--adapter", out, "--prompt", "the cat", "--max-tokens", "5", "--context",
                "64",
            ])
        #expect(!text.isEmpty && text.hasSuffix("\n"))

        _ = try run(
            "rankwise-client",
            ["export", stage.url, "--federation", "tales", "--base", base, "--gguf", "--out", out], reader)
        #expect(stage.folder.bytes("out/adapter.gguf")?.starts(with: Array("GGUF".utf8)) == true)
        let merged = stage.folder.path("merged")
        _ = try run(
            "rankwise-client", ["export", stage.url, "--federation", "tales", "--base", base, "--out", merged], reader)
        try FileManager.default.copyItem(atPath: base + "/tokenizer.json", toPath: merged + "/tokenizer.json.own")
        let same = try run("rankwise-client", ["evaluate", "--base", merged, "--data", data])
        #expect(abs(try perplexity(same) - perplexity(adapted)) < 0.01)
        #expect(stage.stop() == 0)
    }

    @Test func `a federation with magnitudes trains them, and its adapter is DoRA`() throws {
        let stage = try AdminStage()
        let base = try base(stage.folder)
        let data = try stage.folder.write("texts.jsonl", Array("{\"text\": \"the cat sat on the mat\"}\n".utf8))
        let settings = try run(
            "rankwise-lab",
            [
                "settings", "--base", base, "--id", "dora", "--rank", "2", "--rounds", "2", "--clients", "1", "--dora",
                "--max-length", "32",
            ])
        _ = try stage.admin("create", stage.folder.write("dora.yaml", Array(settings.utf8)))
        let kit = stage.folder.path("dora.kit")
        _ = try stage.admin("kit", "dora", "--out", kit, "--name", "one", "--rank", "2")
        let said = try run(
            "rankwise-client",
            [
                "join", "--kit", kit, "--base", base, "--data", data, "--give-up-after", "60", "--state",
                stage.folder.path("state"),
            ])
        #expect(said.contains("round 2: update accepted"), "\(said)")
        let out = stage.folder.path("out")
        _ = try run(
            "rankwise-client", ["export", stage.url, "--federation", "dora", "--out", out],
            ["RANKWISE_TOKEN": AdminStage.token])
        let adapter = try AdapterFile(path: out + "/adapter_model.safetensors")
        #expect(adapter.modules.count == 14 && adapter.dense.count == 14)
        #expect(
            String(decoding: try #require(stage.folder.bytes("out/adapter_config.json")), as: UTF8.self)
                .contains("\"use_dora\": true"))
        #expect(try run("rankwise-client", ["evaluate", out, "--base", base, "--data", data]).contains("perplexity="))
        #expect(stage.stop() == 0)
    }

    @Test func `what a language model cannot do is refused by name, before the server is asked`() throws {
        let folder = try TemporaryFolder()
        let base = try base(folder)
        let data = try folder.write("texts.jsonl", Array("{\"text\": \"a\", \"label\": 1}\n".utf8))
        for (arguments, words) in [
            (["--base", base, "--data", data], "line 1"), (["--base", data, "--data", data], "is no model"),
            (["--base", base, "--data", data, "--memory", "much"], "--memory"),
            (["--base", base, "--data", data, "--layers", "top:0"], "--layers"),
            (["--trainer", "true", "--data", data, "--layers", "top:1"], "leave --trainer out"),
        ] {
            let client = try Program(
                [
                    Program.builtFolder() + "/rankwise-client", "join", "http://127.0.0.1:1", "--federation", "f",
                    "--name", "n", "--rank", "2", "--state", folder.path("state"),
                ] + arguments, errors: .merged)
            let text = client.text()
            #expect(client.exitStatus() == 2 && text.contains(words), "\(arguments): \(text)")
        }
    }

    /// The lab's commands that train and compare language models, on the same files.
    @Test func `the lab trains alone, shows its batches, and plays speakers in memory`() throws {
        let folder = try TemporaryFolder()
        let base = try base(folder)
        let data = folder.path("friends")
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
        let speakers = ["chandler", "joey", "monica", "phoebe", "rachel", "ross"]
        for (index, speaker) in speakers.enumerated() {
            let lines = (0..<4).map { "{\"text\": \"\(speaker) says \($0) and \(index)\"}\n" }
            _ = try folder.write("friends/\(speaker).jsonl", Array(lines.joined().utf8))
            _ = try folder.write("friends/\(speaker)-heldout.jsonl", Array(lines[0].utf8))
        }
        let trained = try run(
            "rankwise-lab",
            [
                "train", "--base", base, "--data", data + "/joey.jsonl", "--rank", "2", "--steps", "3", "--batch", "2",
                "--dora", "--batches", folder.path("batches.jsonl"), "--out", folder.path("alone"),
            ])
        #expect(trained.contains("samples=4\t"))
        let batches = String(decoding: try #require(folder.bytes("batches.jsonl")), as: UTF8.self).split(
            separator: "\n")
        #expect(batches.count == 3 && batches.allSatisfy { $0.components(separatedBy: "\"ids\"").count == 3 })
        let alone = try AdapterFile(path: folder.path("alone/adapter_model.safetensors"))
        #expect(alone.modules.count == 14 && alone.dense.count == 14)
        #expect(
            try run(
                "rankwise-client", ["evaluate", folder.path("alone"), "--base", base, "--data", data + "/ross.jsonl"]
            ).contains("perplexity="))

        let arguments = [
            "reproduce", "speakers", "--base", base, "--data", data, "--out", folder.path("runs"), "--rounds", "1",
            "--steps", "1", "--held-out", "1", "--strategies", "rbla,fedavg", "--seeds", "1,2",
        ]
        let table = try run("rankwise-lab", arguments)
        for strategy in ["rbla", "fedavg"] {
            let row = try #require(table.split(separator: "\n").first { $0.hasPrefix("| \(strategy) |") })
            #expect(row.components(separatedBy: " ± ").count == 8, "\(row)")
        }
        // Finished runs are not played again.
        let again = try run("rankwise-lab", arguments)
        #expect(
            again.split(separator: "\n").filter { $0.hasPrefix("| ") }
                == table.split(separator: "\n").filter { $0.hasPrefix("| ") })
        #expect(folder.bytes("runs/report.html") != nil)
    }

    private func perplexity(_ line: String) throws -> Double {
        let field = try #require(line.split(separator: "\t").first { $0.hasPrefix("perplexity=") })
        return try #require(Double(field.dropFirst("perplexity=".count)))
    }
}
