import Foundation
import RankwiseWire
import TestStage
import Testing

/// A kit is all that a machine needs, and is refused with a reason where it is of no use.
@Suite(.ownThread) struct KitTests {
    private func refusal(
        _ stage: AdminStage, _ kit: String, _ arguments: [String] = [], _ environment: [String: String] = [:]
    ) throws -> (status: Int32, text: String) {
        let client = try stage.join(kit, arguments, environment: environment, errors: .merged)
        let text = client.text()
        return (client.exitStatus(), text)
    }

    @Test func `a kit is a secret of one file, and does not replace another`() throws {
        let stage = try AdminStage()
        _ = try stage.admin("create", stage.settings("f", rounds: 1))
        let path = stage.folder.path("f.kit")
        _ = try stage.admin("kit", "f", "--out", path, "--expires", "1h", "--rank", "8")
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions]
        #expect(mode as? Int == 0o600)
        let kit = try WireJSON.decodeStrictly(JoinKit.self, from: Data(contentsOf: URL(filePath: path)))
        #expect(kit.server == stage.url && kit.federation == "f" && kit.uses == 1 && kit.defaultRank == 8)
        let again = try stage.failure(["kit", "f", "--out", path])
        #expect(again.status == 2)
        #expect(again.text.contains("a kit does not replace a file"))
        // A token whose kit cannot be written is withdrawn.
        let nowhere = try stage.failure(["kit", "f", "--out", stage.folder.path("no/where.kit")])
        #expect(nowhere.status == 2)
        let tokens = try #require(try stage.json([String: [TokenBody]].self, "tokens", "list", "f")["tokens"])
        #expect(tokens.count == 3)
        #expect(tokens.contains { $0.id == kit.tokenID && $0.usesLeft == 1 })
        #expect(stage.stop() == 0)
    }

    @Test func `what the command line says against a kit is refused by name`() throws {
        let stage = try AdminStage()
        _ = try stage.admin("create", stage.settings("f", rounds: 1))
        let kit = stage.folder.path("f.kit")
        _ = try stage.admin("kit", "f", "--out", kit, "--name", "edge-1")
        let file = try stage.folder.write("token", Array("t".utf8))
        for (arguments, environment, words) in [
            (["http://127.0.0.1:1"], [:], "the server is http://127.0.0.1:1, and the kit \(kit) says \(stage.url)"),
            (["--federation", "g"], [:], "--federation is g, and the kit \(kit) says f"),
            (["--name", "edge-2"], [:], "--name is edge-2, and the kit \(kit) says edge-1"),
            (["--token-file", file], [:], "--token-file and --kit both have a token"),
            ([], ["RANKWISE_TOKEN": "t"], "RANKWISE_TOKEN and the kit \(kit) have different tokens"),
        ] as [([String], [String: String], String)] {
            let refused = try refusal(stage, kit, arguments, environment)
            #expect(refused.status == 2)
            #expect(refused.text.contains(words), "\(refused.text)")
        }
        #expect(try refusal(stage, "/nowhere.kit").text.contains("--kit: /nowhere.kit cannot be read"))
        // Saying the same as the kit is no contradiction.
        let same = try stage.join(kit, [stage.url + "/", "--federation", "f", "--name", "edge-1", "--rank", "16"])
        #expect(same.exitStatus() == 0)
        #expect(try stage.json(RoundBody.self, "rounds", "f", "1").updates.map(\.client) == ["edge-1"])
        #expect(stage.stop() == 0)
    }

    @Test func `a kit that is used up, expired or withdrawn is refused in a sentence, and a restart needs none`() throws
    {
        let stage = try AdminStage()
        _ = try stage.admin("create", stage.settings("f", rounds: 2))
        let kit = stage.folder.path("f.kit")
        _ = try stage.admin("kit", "f", "--out", kit)
        #expect(try stage.join(kit, ["--name", "edge-1", "--rounds", "1"]).exitStatus() == 0)
        let spent = try refusal(stage, kit, ["--name", "edge-2"])
        #expect(spent.status == 3)
        #expect(spent.text.contains("the kit \(kit) is used up"))

        var content = try WireJSON.decode(JoinKit.self, from: Data(contentsOf: URL(filePath: kit)))
        _ = try stage.admin("tokens", "delete", "f", try #require(content.tokenID))
        let withdrawn = try refusal(stage, kit, ["--name", "edge-2"])
        #expect(withdrawn.status == 3)
        #expect(withdrawn.text.contains("it was withdrawn or has expired"))
        content.expiresAt = "2026-01-01T00:00:00Z"
        let old = try stage.folder.write("old.kit", Array(WireJSON.encode(content)))
        let expired = try refusal(stage, old, ["--name", "edge-2"])
        #expect(expired.status == 3)
        #expect(expired.text.contains("the kit \(old) expired at 2026-01-01T00:00:00Z"))
        // The client that is registered goes on by the same command.
        #expect(try stage.join(kit, ["--name", "edge-1"]).exitStatus() == 0)
        #expect(stage.stop() == 0)
    }
}
