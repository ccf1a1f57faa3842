import Foundation
import RankwiseWire
import TestStage
import Testing

/// A federation's whole life by `rankwise-admin` alone, with a client that has nothing but a kit.
@Suite(.ownThread) struct AdminCommandTests {
    private struct KitAnswer: Decodable {
        let kit: String
        let federation: String
        let token_id: String
        let uses: Int
    }

    private struct Downloaded: Decodable {
        let round: Int
        let rank: Int?
        let digest: String
        let bytes: Int
    }

    @Test func `the README's round by hand is done by the program alone`() throws {
        let stage = try AdminStage()
        let created = try stage.admin("create", stage.settings("llama", rounds: 2))
        #expect(created.hasPrefix("federation       llama\nenrolment token  "))
        #expect(try stage.admin("list").contains("llama       waiting  0 of 2  0        rbla"))

        let kit = stage.folder.path("edge-1.kit")
        #expect(try stage.admin("kit", "llama", "--name", "edge-1", "--out", kit).contains("federation  llama\n"))
        let client = try stage.join(kit)
        let watch = try stage.start(["watch", "llama"])
        let seen = watch.lines()
        #expect(watch.exitStatus() == 0)
        #expect(seen.last == "llama is finished")
        #expect(seen.contains { $0.contains("round 1 of 2  published  1 of 1 received  loss 0.4  accuracy 0.5") })
        #expect(seen.contains { $0.contains("round 2 of 2  published") })
        #expect(client.exitStatus() == 0)

        #expect(
            try stage.admin("show", "llama").hasPrefix("federation  llama, finished, clients: 1\nround       2 of 2"))
        let rounds = try stage.admin("rounds", "llama").split(separator: "\n")
        #expect(rounds.map { $0.prefix(16) } == ["ROUND  PHASE    ", "2      published", "1      published"])
        #expect(try stage.admin("rounds", "llama", "1").contains("edge-1  16    600      0.4   0.5"))
        #expect(try stage.admin("clients", "llama").contains("edge-1  16"))
        #expect(try stage.admin("events", "llama").contains("client.registered"))
        for rank in ["16", "4"] {
            let out = stage.folder.path("adapter-\(rank)")
            let said = try stage.admin("download", "llama", "--round", "1", "--rank", rank, "--out", out)
            #expect(said.contains("model = PeftModel.from_pretrained(base, \"\(out)\")\n"))
            let config = try Data(contentsOf: URL(filePath: out + "/adapter_config.json"))
            #expect(try WireJSON.decode([String: JSONValue].self, from: config)["r"]?.int == Int(rank))
        }
        // PEFT's adapter came back as it was sent, up to its header.
        let whole = try Data(contentsOf: URL(filePath: stage.folder.path("adapter-16") + "/adapter_model.safetensors"))
        let sent = try Data(contentsOf: URL(filePath: AdminStage.llama + "/adapter_model.safetensors"))
        #expect(abs(whole.count - sent.count) < 4096)
        #expect(stage.stop() == 0)
    }

    @Test func `every command prints the server's objects as JSON`() throws {
        let stage = try AdminStage()
        let created = try stage.json(CreatedFederationBody.self, "create", stage.settings("f", rounds: 1))
        #expect(created.id == "f" && !created.enrolmentToken.isEmpty && !created.readerToken.isEmpty)
        let listed = try stage.json([String: [FederationBody]].self, "list")
        #expect(listed["federations"]?.map(\.id) == ["f"])
        #expect(try stage.json(FederationBody.self, "show", "f").settings.round.total == 1)

        let made = try stage.json(
            TokenBody.self, "tokens", "make", "f", "--role", "enrolment", "--uses", "3", "--expires", "1h")
        #expect(made.usesLeft == 3 && made.token != nil && made.expiresAt != nil)
        #expect(try stage.json([String: String].self, "tokens", "delete", "f", made.id) == ["deleted": made.id])
        let tokens = try #require(try stage.json([String: [TokenBody]].self, "tokens", "list", "f")["tokens"])
        #expect(tokens.map(\.role).sorted() == ["enrolment", "reader"])

        #expect(try stage.json(FederationBody.self, "pause", "f").state == "paused")
        #expect(try stage.json(FederationBody.self, "resume", "f").state == "waiting")

        let path = stage.folder.path("f.kit")
        let kit = try stage.json(KitAnswer.self, "kit", "f", "--name", "edge-1", "--out", path)
        #expect(kit.kit == path && kit.federation == "f" && kit.uses == 1)
        #expect(try stage.join(path).exitStatus() == 0)
        let watched = try stage.start(["watch", "f", "--json"])
        let rounds = try watched.lines().map { try WireJSON.decode(RoundBody.self, from: Data($0.utf8)) }
        #expect(watched.exitStatus() == 0)
        #expect(rounds.last?.phase == "published")

        let outlines = try stage.json([String: [RoundBody]].self, "rounds", "f")["rounds"]
        #expect(outlines?.map(\.round) == [1])
        #expect(try stage.json(RoundBody.self, "rounds", "f", "current").updates.map(\.client) == ["edge-1"])
        let clients = try stage.json([String: [ClientBody]].self, "clients", "f")["clients"]
        #expect(clients?.map(\.name) == ["edge-1"])
        let events = try stage.admin("events", "f", "--json").split(separator: "\n").map {
            try WireJSON.decode(EventBody.self, from: Data($0.utf8))
        }
        #expect(events.map(\.id) == (1...Int64(events.count)).map { $0 })
        #expect(events.contains { $0.kind == "update.accepted" })
        #expect(try stage.admin("events", "f", "--after", "2", "--limit", "1", "--json").contains("\"id\":3"))

        let folder = stage.folder.path("adapter")
        let best = try stage.json(Downloaded.self, "download", "f", "--round", "best", "--out", folder)
        let file = try #require(stage.folder.bytes("adapter/adapter_model.safetensors"))
        #expect(best.round == 1 && best.rank == nil && best.bytes == file.count && best.digest.hasPrefix("sha256:"))
        let latest = try stage.json(Downloaded.self, "download", "f", "--model", "--rank", "4", "--out", folder + "-4")
        #expect(latest.round == 1 && latest.rank == 4)

        let settings = try stage.folder.write("fork.yaml", Array("round: {total: 7}\n".utf8))
        #expect(try stage.json(CreatedFederationBody.self, "fork", "f", "g", "--settings", settings).id == "g")
        #expect(try stage.json(FederationBody.self, "show", "g").settings.round.total == 7)
        let template = try stage.folder.write(
            "warm.yaml",
            Array("{id: warm, base_model: {name: tiny-llama}, adapter: {template: true}, round: {total: 3}}".utf8))
        #expect(try stage.json(CreatedFederationBody.self, "create", template, "--template", folder).id == "warm")
        #expect(try stage.json(FederationBody.self, "show", "warm").state == "waiting")
        let draft = try stage.folder.write(
            "draft.yaml", Array("{id: draft, base_model: {name: tiny-llama}, adapter: {template: true}}".utf8))
        _ = try stage.admin("create", draft)
        #expect(try stage.json(TemplateBody.self, "template", "draft", folder).state == "waiting")

        #expect(try stage.json(ClientBody.self, "revoke", "f", "edge-1").revoked)
        #expect(try stage.json(FederationBody.self, "finish", "g").state == "finished")
        let departed = try stage.json(DepartedFederationBody.self, "delete", "f", "--yes", "--release")
        #expect(departed.id == "f" && departed.released)
        #expect(stage.stop() == 0)
    }

    @Test func `a watch goes on over a crash of the server, and tells a failed end from a good one`() throws {
        let port = try ReservedPort()
        let address = "127.0.0.1:\(port.number)"
        let first = try AdminStage(listen: address)
        _ = try first.admin("create", first.settings("f", rounds: 1))
        _ = try first.admin("create", first.settings("never", rounds: 1))
        let kit = first.folder.path("f.kit")
        _ = try first.admin("kit", "f", "--out", kit)
        let watch = try first.start(["watch", "f"])
        #expect(watch.firstLine().hasSuffix("round 0 of 1  waiting"))
        first.crash()
        let second = try AdminStage(listen: address, folder: first.folder)
        #expect(try second.join(kit).exitStatus() == 0)
        let seen = watch.lines()
        #expect(watch.exitStatus() == 0)
        #expect(seen.contains { $0.contains("round 1 of 1  published") })

        #expect(try second.admin("finish", "never") == "federation never is finished\n")
        let ended = try second.failure(["watch", "never"])
        #expect(ended.status == 5)
        #expect(ended.text.contains("never is finished; no round was opened"))
        #expect(second.stop() == 0)
    }
}
