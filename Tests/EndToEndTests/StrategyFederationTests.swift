import Foundation
import HTTPFetching
import RankwiseWire
import TestStage
import Testing

/// Every strategy as its users run it: the built server, three built clients on real digits, and the lab's judgement.
@Suite(.serialized, .ownThread) struct StrategyFederationTests {
    private static let admin = "an-admin-token-of-more-than-32-bytes"
    private static let digits = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../Config/data/digits.csv").standardized.path

    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        var strategy = ""
        /// Further settings of the federation.
        var more = ""
        /// Further settings of its adapter.
        var adapter = ""
        var ranks = [4, 8, 16]
        /// Its round policy, besides its length.
        var round = #""min_updates": 3"#

        var testDescription: String { "\(name) \(strategy)\(more)\(adapter) \(round)" }
    }

    static let cases = [
        Case(name: "rbla"),
        Case(name: "rbla", strategy: #", "weighting": "ranking""#),
        Case(name: "rbla", more: #", "server": {"optimizer": "adam", "learning_rate": 0.02}"#),
        Case(name: "rbla", adapter: #", "message_bits": 8"#),
        Case(
            name: "rbla", more: #", "robust": {"rule": "trimmed", "holders": 2}"#, adapter: #", "message_bits": 4"#),
        Case(name: "zeropad", more: #", "robust": {"rule": "krum", "byzantine": 0, "keep": 2}"#),
        Case(name: "rbla", round: #""min_updates": 1, "buffer": 2"#),
        Case(name: "zeropad"),
        Case(name: "hetlora", strategy: #", "gamma": 0.5, "penalty": 0.1, "min_rank": 4"#),
        Case(name: "fedavg", ranks: [16, 16, 16]),
        Case(name: "flexlora"),
        Case(name: "raflora"),
        Case(name: "flora"),
        Case(name: "fedex", ranks: [16, 16, 16]),
        Case(name: "lora-fair"),
        Case(name: "rolora"),
        Case(name: "ffa"),
        Case(name: "rac-lora"),
        Case(name: "sa-fedlora", strategy: #", "warmup_rounds": 1, "cooling": 0.8"#),
        Case(name: "slora", strategy: #", "sparse_rounds": 2, "density": 0.5"#),
        Case(name: "fdlora"),
    ]

    @Test(arguments: cases)
    func `three clients train digits in four rounds`(_ subject: Case) async throws {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        #expect(
            try Program(
                "rankwise-lab",
                [
                    "partition", "--data", Self.digits, "--clients", "3", "--seed", "3", "--holdout", "0.2", "--out",
                    folder + "/shards",
                ]
            ).exitStatus() == 0)
        let server = try Program(
            "rankwise-server", ["serve", "--listen", "127.0.0.1:0", "--data", folder + "/data"],
            environment: ["RANKWISE_ADMIN_TOKEN": Self.admin])
        let url = try #require(server.firstLine().split(separator: " ").last.map(String.init))
        let answer = try await HTTPFetcher().fetch(
            FetchRequest(
                .post, url + "/v1/federations", fields: [HTTPField("Authorization", "Bearer \(Self.admin)")],
                body: .bytes(Array(settings(subject).utf8))))
        let tokens = try WireJSON.decode(CreatedFederationBody.self, from: Data(answer.body))
        let clients = try subject.ranks.enumerated().map { index, rank in
            try Program(
                "rankwise-client",
                [
                    "join", url, "--federation", "f", "--name", "edge-\(index)", "--rank", "\(rank)", "--data",
                    folder + "/shards/client-0\(index).csv", "--state", folder + "/state-\(index)",
                ],
                environment: ["RANKWISE_TOKEN": tokens.enrolmentToken])
        }
        let lab = try Program(
            "rankwise-lab", ["follow", url, "--federation", "f", "--data", folder + "/shards/heldout.csv"],
            environment: ["RANKWISE_TOKEN": tokens.readerToken])
        let lines = lab.lines()
        #expect(lab.exitStatus() == 0)
        #expect(clients.map { $0.exitStatus() } == [0, 0, 0])
        #expect(server.stop() == 0)
        // A heading, a line for each of the four rounds, and the result.
        #expect(lines.count == 6)
        let result = try #require(lines.last?.split(separator: "\t"))
        #expect(result.first.map(String.init) == subject.name)
        let accuracy = try #require(Double(result[1].dropFirst("accuracy=".count)))
        // Ten classes: a guess is right one time in ten.
        #expect(accuracy > 0.5)
    }

    private func settings(_ subject: Case) -> String {
        """
        {"id": "f", "base_model": {"name": "mlp-64-48-10", "seed": 5},
         "adapter": {"max_rank": 16, "modules": {"fc1": {"in": 64, "out": 48}, "fc2": {"in": 48, "out": 10}}\
        \(subject.adapter)},
         "strategy": {"name": "\(subject.name)"\(subject.strategy)}\(subject.more),
         "round": {"total": 4, \(subject.round), "seen_seconds": 600}, "seed": 6,
         "training": {"epochs": 3, "batch_size": 10, "learning_rate": 0.01, "momentum": 0.9, "feature_scale": 8}}
        """
    }
}
