import Foundation
import HTTPFetching
import RankwiseWire
import Testing

/// What a person does with curl alone, over a real socket and a real folder.
@Suite struct RoundByHandTests {
    private static let clientToken = String(repeating: "ab", count: 32)
    private static let settings = """
        {"id": "llama", "base_model": {"name": "tiny-llama"},
         "adapter": {"max_rank": 16, "scaling": {"mode": "lora", "alpha": 16}, "modules": {
           "model.layers.0.self_attn.q_proj": {"in": 64, "out": 64},
           "model.layers.0.self_attn.v_proj": {"in": 64, "out": 32},
           "model.layers.1.self_attn.q_proj": {"in": 64, "out": 64},
           "model.layers.1.self_attn.v_proj": {"in": 64, "out": 32}}},
         "round": {"total": 2, "min_updates": 1}}
        """

    private static func fixture(_ name: String) throws -> String {
        try #require(Bundle.module.path(forResource: name, ofType: "safetensors", inDirectory: "Fixtures"))
    }

    /// Runs `body` against a server that has the federation and one client of rank 16, then stops it.
    private func withServer(
        _ body: (LiveServer, _ admin: Caller, _ reader: Caller, _ client: Caller, _ enrolment: Caller) async throws ->
            Void
    ) async throws {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let server = try await LiveServer(folder: folder)
        let admin = try Caller(server, token: LiveServer.admin)
        let created = try await admin.call(.post, "/v1/federations", body: Self.settings)
        #expect(created.status == 201)
        let tokens = try WireJSON.decode(CreatedFederationBody.self, from: Data(created.body))
        let reader = try Caller(server, token: tokens.readerToken)
        let enrolment = try Caller(server, token: tokens.enrolmentToken)
        let client = try Caller(server, token: Self.clientToken)
        let registration = #"{"rank": 16, "token": "\#(Self.clientToken)"}"#
        for status in [201, 200] {
            let answer = try await enrolment.call(.put, "/v1/federations/llama/clients/edge-1", body: registration)
            #expect(answer.status == status)
        }
        try await body(server, admin, reader, client, enrolment)
        try await server.stop()
    }

    /// The round once it has ended, by long poll.
    private func ended(_ number: Int, _ reader: Caller) async throws -> RoundBody {
        while true {
            let round = try await reader.get(RoundBody.self, "/v1/federations/llama/rounds/\(number)")
            if round.phase == "published" || round.phase == "failed" { return round }
            _ = try await reader.call(.get, "/v1/federations/llama/rounds/current?after=\(round.revision)&wait=5")
        }
    }

    @Test func `a PEFT file that one client sends is published byte for byte and cut for others`() async throws {
        try await withServer { _, _, reader, client, _ in
            let file = try Self.fixture("llama_r16")
            let plan = try await client.get(PlanBody.self, "/v1/federations/llama/plan")
            #expect(plan.phase == "collecting" && plan.selected && !plan.answered && plan.round == 1)
            let sent = try await client.call(.put, plan.update + "?samples=600&loss=0.4", file: file)
            #expect(sent.status == 201)
            let again = try await client.call(.put, plan.update + "?samples=600&loss=0.4", file: file)
            #expect(again.status == 200 && again.body == sent.body)
            let round = try await ended(1, reader)
            let receipt = try WireJSON.decode(ReceiptBody.self, from: Data(sent.body))
            #expect(round.adapter?.digest == receipt.digest)
            #expect(round.metrics.loss == 0.4 && round.updates.map(\.client) == ["edge-1"])
            let whole = try await reader.call(.get, "/v1/federations/llama/adapter")
            #expect(whole.body == Array(try #require(FileManager.default.contents(atPath: file))))
            let tag = try #require(whole.fields.first { $0.name.lowercased() == "etag" }?.value)
            let known = try await reader.call(
                .get, "/v1/federations/llama/adapter", fields: [HTTPField("If-None-Match", tag)])
            #expect(known.status == 304 && known.body.isEmpty)
            let part = try await reader.call(
                .get, "/v1/federations/llama/adapter", fields: [HTTPField("Range", "bytes=8-15")])
            #expect(part.status == 206 && part.body == Array(whole.body[8...15]))
            let cut = try await reader.call(.get, "/v1/federations/llama/rounds/1/adapter?rank=4&dtype=BF16")
            #expect(cut.status == 200 && cut.body.count < whole.body.count / 6)
            let head = try await reader.call(.head, "/v1/federations/llama/rounds/1/adapter?rank=4&dtype=BF16")
            #expect(head.status == 200 && head.body.isEmpty)
        }
    }

    @Test func `what cannot be is refused with its status and code`() async throws {
        try await withServer { server, admin, reader, client, enrolment in
            let nobody = try Caller(server, token: nil)
            let base = "/v1/federations/llama"
            let good = try Self.fixture("llama_r16")
            #expect(try await nobody.refusal(.get, base) == "401 auth.token")
            #expect(try await enrolment.refusal(.get, base) == "403 auth.role")
            #expect(try await reader.refusal(.post, "/v1/federations", body: "{}") == "403 auth.role")
            #expect(try await reader.refusal(.get, base + "/plan") == "403 auth.role")
            #expect(try await admin.refusal(.get, "/v1/federations/none") == "404 federation.unknown")
            #expect(try await admin.refusal(.get, "/v1/nothing") == "404 path.unknown")
            #expect(try await admin.refusal(.put, base, body: "{}") == "405 method.not_allowed")
            #expect(try await admin.refusal(.post, "/v1/federations", body: Self.settings) == "409 federation.exists")
            #expect(try await admin.refusal(.post, "/v1/federations", body: "{") == "400 body.invalid")
            #expect(
                try await admin.refusal(.post, "/v1/federations", body: #"{"id": "x", "colour": 1}"#)
                    == "422 body.invalid")
            let other = Self.settings.replacingOccurrences(of: "\"llama\"", with: "\"other\"")
            #expect(
                try await admin.refusal(
                    .post, "/v1/federations", body: other.replacingOccurrences(of: "\"total\": 2", with: "\"total\": 0")
                )
                    == "422 settings.invalid")
            let registration = #"{"rank": 1, "token": "\#(String(repeating: "cd", count: 32))"}"#
            #expect(
                try await enrolment.refusal(.put, base + "/clients/edge-1", body: registration) == "409 client.exists")
            #expect(try await client.refusal(.put, base + "/clients/edge-2", body: registration) == "403 auth.role")
            #expect(
                try await enrolment.refusal(.put, base + "/clients/Edge", body: registration) == "400 request.argument")
            #expect(
                try await enrolment.refusal(.put, base + "/clients/edge-2", body: #"{"rank": 1, "token": "short"}"#)
                    == "422 client.token")
            #expect(try await client.refusal(.put, base + "/rounds/1/update", file: good) == "400 request.argument")
            #expect(
                try await client.refusal(.put, base + "/rounds/1/update?samples=2000000", file: good)
                    == "422 update.samples")
            #expect(
                try await client.refusal(.put, base + "/rounds/2/update?samples=1", file: good) == "404 round.unknown")
            #expect(
                try await client.refusal(
                    .put, base + "/rounds/1/update?samples=1", file: try Self.fixture("bert_cls_r8"))
                    == "422 update.unknown")
            #expect(try await reader.refusal(.get, base + "/adapter?rank=17") == "400 adapter.rank")
            #expect(try await reader.refusal(.get, base + "/adapter?dtype=F64") == "400 adapter.dtype")
            #expect(try await reader.refusal(.get, base + "/rounds/1/adapter") == "404 adapter.none")
            #expect(try await reader.refusal(.get, base + "/rounds/current?wait=61&after=1") == "400 request.argument")
            let round = try await reader.get(RoundBody.self, base + "/rounds/1")
            #expect(round.refusals.map(\.code) == ["update.samples", "update.unknown"])
            #expect(try await client.call(.put, base + "/rounds/1/update?samples=1", file: good).status == 201)
            _ = try await ended(1, reader)
            #expect(
                try await client.refusal(.put, base + "/rounds/1/update?samples=2", file: good) == "409 update.exists")
        }
    }

    @Test func `the admin sees clients and events, pauses, and revokes`() async throws {
        try await withServer { _, admin, reader, client, _ in
            let base = "/v1/federations/llama"
            let clients = try await admin.get([String: [ClientBody]].self, base + "/clients")
            #expect(clients["clients"]?.map(\.name) == ["edge-1"])
            let events = try await admin.get([String: [EventBody]].self, base + "/events?limit=3")
            #expect(events["events"]?.map(\.kind) == ["client.registered", "round.opened", "round.selected"])
            let hashes = events["events"]?.map(\.hash) ?? []
            #expect(Set(hashes).count == 3 && hashes.allSatisfy { $0.hasPrefix("sha256:") && $0.count == 71 })
            let patched = try await admin.call(
                .patch, base, body: #"{"state": "paused", "round": {"deadline_seconds": 5}}"#)
            let federation = try WireJSON.decode(FederationBody.self, from: Data(patched.body))
            #expect(federation.state == "paused" && federation.settings.round.deadlineSeconds == 5)
            #expect(try await admin.refusal(.patch, base, body: #"{"round": {"colour": 5}}"#) == "422 body.invalid")
            #expect(try await admin.call(.delete, base + "/clients/edge-1").status == 204)
            for path in [base + "/plan", base + "/adapter", base + "/rounds/current"] {
                #expect(try await client.refusal(.get, path) == "403 client.revoked")
            }
            let list = try await reader.get([String: [RoundBody]].self, base + "/rounds?limit=5")
            #expect(list["rounds"]?.map(\.round) == [1])
        }
    }
}
