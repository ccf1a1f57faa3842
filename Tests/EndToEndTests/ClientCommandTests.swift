import AdapterFormat
import Foundation
import HTTPFetching
import RankwiseWire
import TestStage
import Testing

/// What an owner does with a client's other commands: bring home what a federation trained, and score it.
@Suite(.ownThread) final class ClientCommandTests {
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private static let admin = "an-admin-token-of-more-than-32-bytes"
    private static let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    private static let digits = here.appendingPathComponent("../../Config/data/digits.csv").standardized.path
    private static let bert = here.appendingPathComponent("../TrainingTests/Fixtures/bert/tiny").standardized.path

    private func succeed(_ name: String, _ arguments: [String], token: String = "") throws -> [String] {
        let program = try Program(name, arguments, environment: ["RANKWISE_TOKEN": token])
        let lines = program.lines()
        try #require(program.exitStatus() == 0, "\(arguments)")
        return lines
    }

    // flora publishes all it has learnt as merges; its adapter alone is fresh. fdlora's clients keep one of their own.
    @Test(arguments: ["rbla", "flora", "fdlora"])
    func `what a federation trained is exported, scored, and added to the base`(strategy: String) async throws {
        _ = try succeed(
            "rankwise-lab",
            [
                "partition", "--data", Self.digits, "--clients", "2", "--seed", "3", "--holdout", "0.2", "--out",
                folder + "/shards",
            ])
        let server = try Program(
            "rankwise-server", ["serve", "--listen", "127.0.0.1:0", "--data", folder + "/data"],
            environment: ["RANKWISE_ADMIN_TOKEN": Self.admin])
        let url = try #require(server.firstLine().split(separator: " ").last.map(String.init))
        let answer = try await HTTPFetcher().fetch(
            FetchRequest(
                .post, url + "/v1/federations", fields: [HTTPField("Authorization", "Bearer \(Self.admin)")],
                body: .bytes(Array(settings(strategy).utf8))))
        let tokens = try WireJSON.decode(CreatedFederationBody.self, from: Data(answer.body))
        let clients = try [4, 8].enumerated().map { index, rank in
            try Program(
                "rankwise-client",
                [
                    "join", url, "--federation", "f", "--name", "edge-\(index)", "--rank", "\(rank)", "--data",
                    folder + "/shards/client-0\(index).csv", "--state", folder + "/state-\(index)",
                ],
                environment: ["RANKWISE_TOKEN": tokens.enrolmentToken])
        }
        #expect(clients.map { $0.exitStatus() } == [0, 0])

        let (peft, merged, base) = (folder + "/peft", folder + "/merged", folder + "/base.safetensors")
        let export = ["export", url, "--federation", "f", "--out"]
        #expect(try succeed("rankwise-client", export + [peft], token: tokens.readerToken) == ["round 2: \(peft)"])
        _ = try succeed("rankwise-lab", ["base", "--model", "mlp-64-48-10", "--seed", "5", "--out", base])
        _ = try succeed("rankwise-client", export + [merged, "--base", base], token: tokens.readerToken)
        let first = try Program(
            "rankwise-client", export + [folder + "/other", "--round", "9"],
            environment: ["RANKWISE_TOKEN": tokens.readerToken])
        #expect(first.exitStatus() == 3)
        #expect(server.stop() == 0)

        let local = [
            "--model", "mlp-64-48-10", "--model-seed", "5", "--data", folder + "/shards/heldout.csv", "--feature-scale",
            "8",
        ]
        let scored = try #require(try succeed("rankwise-client", ["evaluate", peft] + local).first)
        // Ten classes: a guess is right one time in ten.
        if strategy != "fdlora" { #expect(try value("accuracy", of: scored) > 0.4) }
        let personal = folder + "/state-1/personal"
        #expect(FileManager.default.fileExists(atPath: personal) == (strategy == "fdlora"))
        if strategy == "fdlora" { try checkFusion(of: personal, with: peft, local) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: merged) == ["model.safetensors"])
        try expect(merged + "/model.safetensors", is: base, plus: peft)
    }

    /// The personal adapter beats the shared one after two rounds, and both together are no worse.
    private func checkFusion(of personal: String, with shared: String, _ local: [String]) throws {
        let fused = folder + "/fused"
        let found = try #require(
            try succeed("rankwise-client", ["fuse", personal, shared, "--out", fused] + local).first)
        let again = try #require(try succeed("rankwise-client", ["evaluate", fused] + local).first)
        #expect(try abs(value("loss", of: found) - value("loss", of: again)) < 2e-4)
        let shares = try value("personal", of: found) + value("shared", of: found)
        for alone in [personal, shared] {
            let scored = try #require(try succeed("rankwise-client", ["evaluate", alone] + local).first)
            #expect(try value("loss", of: found) + 0.05 * shares <= value("loss", of: scored) + 0.05 + 2e-4)
        }
        #expect(try value("accuracy", of: found) > 0.4)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: fused).sorted()
                == ["adapter_config.json", "adapter_model.safetensors"])
    }

    /// A number of a line like `accuracy=0.9	loss=0.3`.
    private func value(_ name: String, of line: String) throws -> Double {
        let field = try #require(line.split(separator: "\t").first { $0.hasPrefix(name + "=") })
        return try #require(Double(field.dropFirst(name.count + 1)))
    }

    /// Compares every number with W + scale·B·A.
    private func expect(_ merged: String, is base: String, plus adapter: String) throws {
        let (merged, base) = (try SafetensorsFile(path: merged), try SafetensorsFile(path: base))
        let file = try AdapterFile(try SafetensorsFile(path: adapter + "/adapter_model.safetensors"))
        let text = try Data(contentsOf: URL(filePath: adapter + "/adapter_config.json"))
        let configuration = try AdapterConfig(json: Array(text))
        #expect(merged.tensors.map(\.name).sorted() == base.tensors.map(\.name).sorted())
        for tensor in base.tensors {
            let before = tensor.floats()
            let after = try #require(merged[tensor.name]).floats()
            let module = file.modules.first { $0.name + ".weight" == tensor.name }
            guard let factors = module.flatMap({ ModuleFactors($0) }) else {
                #expect(after == before, "\(tensor.name)")
                continue
            }
            #expect(after != before)
            let scale = configuration.scale(of: module?.name ?? "")
            for output in 0..<factors.outputs {
                for input in 0..<factors.inputs {
                    let product = (0..<factors.rank).reduce(0.0) { sum, component in
                        sum + Double(factors.b[component * factors.outputs + output])
                            * Double(factors.a[component * factors.inputs + input])
                    }
                    let place = output * factors.inputs + input
                    #expect(abs(Double(after[place]) - Double(before[place]) - scale * product) < 1e-5)
                }
            }
        }
    }

    @Test func `a PEFT adapter of a BERT is scored as the lab scores it`() throws {
        let data = folder + "/texts.tsv"
        try (0..<9).map { "\($0 % 3)\tw\($0) w\(30 - $0) w3 w4 w5" }.joined(separator: "\n")
            .write(toFile: data, atomically: true, encoding: .utf8)
        let base = ["--base", Self.bert, "--data", data]
        func client(_ length: String) throws -> [String] {
            try succeed("rankwise-client", ["evaluate", Self.bert] + base + ["--max-length", length])
        }
        let lab = try succeed(
            "rankwise-lab",
            ["evaluate"] + base + ["--max-length", "7", "--adapter", Self.bert + "/adapter_model.safetensors"])
        #expect(lab.count == 1 && lab.first?.hasPrefix("accuracy=") == true)
        #expect(try client("7") == lab)
        #expect(try client("4") != lab)
    }

    @Test func `what cannot be scored is a wrong command line`() throws {
        let data = folder + "/texts.tsv"
        try "0\tw1 w2\n1\tw3\n".write(toFile: data, atomically: true, encoding: .utf8)
        try "1,2,0\n".write(toFile: folder + "/data.csv", atomically: true, encoding: .utf8)
        let bert = ["--base", Self.bert]
        for (adapter, arguments) in [
            (Self.bert, ["--data", data]), (Self.bert, bert + ["--model", "mlp-2-3-2", "--data", data]),
            (Self.bert, bert + ["--data", folder + "/data.csv"]), (Self.bert, bert + ["--data", folder + "/nothing"]),
            (Self.bert, bert + ["--data", data, "--max-length", "1"]), (folder, bert + ["--data", data]),
            (Self.bert, ["--base", folder, "--data", data]),
            (Self.bert, ["--model", "mlp-2-3-2", "--data", folder + "/data.csv"]),
        ] {
            let status = try Program("rankwise-client", ["evaluate", adapter] + arguments).exitStatus()
            #expect(status == 2, "\(adapter) \(arguments)")
        }
    }

    private func settings(_ strategy: String) -> String {
        """
        {"id": "f", "base_model": {"name": "mlp-64-48-10", "seed": 5},
         "adapter": {"max_rank": 8, "modules": {"fc1": {"in": 64, "out": 48}, "fc2": {"in": 48, "out": 10}}},
         "strategy": {"name": "\(strategy)"},
         "round": {"total": 2, "min_updates": 2, "seen_seconds": 600}, "seed": 6,
         "training": {"epochs": 3, "batch_size": 10, "learning_rate": 0.01, "momentum": 0.9, "feature_scale": 8}}
        """
    }
}
