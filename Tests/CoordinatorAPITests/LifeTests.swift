import Coordinator
import Crypto
import Foundation
import HTTPFetching
import RankwiseWire
import Testing

/// What is kept of a federation, and how it goes, over real sockets and files.
@Suite struct LifeTests {
    private let path = TrainedFederation.path

    private func size(of folder: String) throws -> Int {
        try ["rankwise.sqlite", "rankwise.sqlite-wal"].reduce(0) { sum, name in
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(name)")
            return sum + (attributes[.size] as? Int ?? 0)
        }
    }

    @Test func `a deleted federation is gone for everybody, its room comes back, and its name stays taken`()
        async throws
    {
        let federation = try await TrainedFederation(
            strategy: #"{"name": "rbla"}"#, rounds: 3, ranks: ["edge-1": 4, "edge-2": 2])
        let admin = try federation.admin
        // A big one beside it, whose deletion shows in the file.
        let big = """
            {"id": "big", "base_model": {"name": "b"}, "adapter": {"max_rank": 64,
             "modules": {"m": {"in": 20000, "out": 4000}}}, "round": {"total": 1, "min_updates": 1}}
            """
        #expect(try await admin.call(.post, "/v1/federations", body: big).status == 201)
        let before = try size(of: federation.folder)
        try await federation.train()
        let events = try await admin.get(EventsBody.self, path + "/events?limit=1000").events
        let waiting = Task { [reader = try federation.reader] in
            try await reader.call(.get, TrainedFederation.path + "/rounds/current?after=1000000&wait=60").status
        }
        await Task.yield()
        let answer = try await admin.call(.delete, path)
        #expect(answer.status == 200)
        let departed = try WireJSON.decode(DepartedFederationBody.self, from: Data(answer.body))
        #expect(departed.id == "digits" && !departed.released)
        #expect(departed.events >= events.count)
        // The wait ends, or its token is nobody's any more.
        #expect([204, 401, 404].contains(try await waiting.value))
        #expect(try await admin.refusal(.get, path) == "404 federation.unknown")
        #expect(try await federation.reader.call(.get, path).status == 401)
        #expect(try await federation.client("edge-1").call(.get, path + "/plan").status == 401)
        #expect(try await admin.refusal(.delete, path) == "404 federation.unknown")
        let again =
            #"{"id": "digits", "base_model": {"name": "b"}, "adapter": {"max_rank": 2, "modules": {"m": {"in": 2, "out": 2}}}}"#
        #expect(try await admin.refusal(.post, "/v1/federations", body: again) == "409 federation.exists")
        #expect(try await admin.call(.delete, "/v1/federations/big?release=true").status == 200)
        #expect(try size(of: federation.folder) < before / 4)
        let reborn = again.replacingOccurrences(of: "digits", with: "big")
        #expect(try await admin.call(.post, "/v1/federations", body: reborn).status == 201)
        #expect(try await admin.refusal(.delete, "/v1/federations/big?release=maybe") == "400 request.argument")
        try await federation.restart()
        #expect(try await federation.admin.refusal(.get, path) == "404 federation.unknown")
        #expect(try await federation.admin.call(.get, "/v1/federations/big").status == 200)
        try await federation.stop()
    }

    @Test func `retention keeps the newest, the best and every so many, and says what it dropped`() async throws {
        let federation = try await TrainedFederation(
            strategy: #"{"name": "rbla"}"#,
            more: #", "retention": {"adapters": {"last": 2, "every": 4, "best": true}}"#, rounds: 9,
            ranks: ["edge-1": 4, "edge-2": 2])
        for _ in 1...9 { try await federation.train() }
        let reader = try federation.reader
        func kept() async throws -> [Int] {
            var kept: [Int] = []
            for round in 0...9 where try await reader.call(.get, path + "/rounds/\(round)/adapter?rank=4").status == 200
            {
                kept.append(round)
            }
            return kept
        }
        // Nothing tells when the last one is dropped: it is, soon after the round.
        while try await kept() != [0, 4, 8, 9] { await Task.yield() }
        #expect(try await reader.refusal(.get, path + "/rounds/5/adapter?rank=4") == "410 adapter.dropped")
        #expect(try await reader.refusal(.get, path + "/rounds/5/adapter_config.json?rank=4") == "410 adapter.dropped")
        // Its record stays.
        #expect(try await reader.get(RoundBody.self, path + "/rounds/5").adapter != nil)
        let admin = try federation.admin
        let body = #"{"retention": {"adapters": {"last": 1}}}"#
        #expect(try await admin.call(.patch, path, body: body).status == 200)
        #expect(try await kept() == [0, 9])
        let bad = #"{"retention": {"adapters": "some"}}"#
        #expect(try await admin.refusal(.patch, path, body: bad) == "422 settings.invalid")
        let none = #"{"retention": {"adapters": {"last": 0}}}"#
        #expect(try await admin.refusal(.patch, path, body: none) == "422 settings.invalid")
        try await federation.restart()
        let settings = try await federation.admin.get(FederationBody.self, path).settings
        #expect(settings.retention == .init(adapters: .some(.init(last: 1))))
        try await federation.stop()
    }

    @Test func `a round's updates come in pages, and rounds among others come without them`() async throws {
        let names = ["a", "b", "c", "d", "e"]
        let federation = try await TrainedFederation(
            strategy: #"{"name": "rbla"}"#, rounds: 2,
            ranks: Dictionary(uniqueKeysWithValues: names.map { ($0, 4) }))
        try await federation.train()
        let reader = try federation.reader
        func page(_ query: String) async throws -> UpdatesBody {
            try await reader.get(UpdatesBody.self, path + "/rounds/1/updates" + query)
        }
        let first = try await page("?limit=2")
        #expect(first.updates.map(\.client) == ["a", "b"] && first.next == "b")
        let second = try await page("?limit=2&after=b")
        #expect(second.updates.map(\.client) == ["c", "d"] && second.next == "d")
        let last = try await page("?limit=2&after=d")
        #expect(last.updates.map(\.client) == ["e"] && last.next == nil)
        #expect(try await page("").updates.map(\.client) == names)
        #expect(try await reader.refusal(.get, path + "/rounds/1/updates?limit=1001") == "400 request.argument")
        #expect(try await reader.refusal(.get, path + "/rounds/7/updates") == "404 round.unknown")
        let whole = try await reader.get(RoundBody.self, path + "/rounds/1")
        #expect(whole.updates.map(\.client) == names && whole.updatesNext == nil)
        let text = String(decoding: try await reader.call(.get, path + "/rounds?limit=9").body, as: UTF8.self)
        #expect(!text.contains("\"updates\"") && !text.contains("\"refusals\""))
        let listed = try WireJSON.decode(RoundsBody.self, from: Data(text.utf8)).rounds
        #expect(listed.map(\.round) == [2, 1])
        var expected = whole
        (expected.updates, expected.refusals, expected.isOutline) = ([], [], true)
        (expected.awaited, expected.revision) = (listed[1].awaited, listed[1].revision)
        #expect(listed[1] == expected)
        #expect(listed[0].selected == 5 && listed[0].phase == "collecting")
        try await federation.stop()
    }

    private struct RoundsBody: Decodable {
        let rounds: [RoundBody]
    }

    @Test(arguments: [#"{"mode": "lora", "alpha": 8}"#, #"{"mode": "constant", "value": 2}"#])
    func `a fork begins with a round's adapter, at every rank, under settings of its own`(scaling: String) async throws
    {
        let federation = try await TrainedFederation(
            strategy: #"{"name": "rbla"}"#, scaling: scaling, rounds: 2, ranks: ["edge-1": 4, "edge-2": 2])
        for _ in 1...2 { try await federation.train() }
        let admin = try federation.admin
        let body = """
            {"id": "second", "round": 1, "settings": {"strategy": {"name": "zeropad"}, "round": {"total": 7}, "seed": 5}}
            """
        let answer = try await admin.call(.post, path + "/fork", body: body)
        #expect(answer.status == 201, "\(String(decoding: answer.body, as: UTF8.self))")
        let fork = try await admin.get(FederationBody.self, "/v1/federations/second")
        #expect(fork.state == "waiting" && fork.settings.strategy.name == "zeropad")
        #expect(fork.settings.round.total == 7 && fork.settings.round.minUpdates == 2 && fork.settings.seed == 5)
        for rank in [1, 2, 4] {
            for file in ["adapter", "adapter_config.json"] {
                let query = "\(file)?rank=\(rank)"
                let original = try await admin.call(.get, path + "/rounds/1/" + query)
                let copy = try await admin.call(.get, "/v1/federations/second/rounds/0/" + query)
                #expect(original.status == 200 && copy.body == original.body, "\(query)")
            }
        }
        // It lives by itself.
        #expect(try await admin.call(.delete, path).status == 200)
        #expect(try await admin.call(.get, "/v1/federations/second/rounds/0/adapter?rank=4").status == 200)
        try await federation.stop()
    }

    @Test func `a fork that cannot be is refused, and nothing of it stays`() async throws {
        let federation = try await TrainedFederation(
            strategy: #"{"name": "rbla"}"#, rounds: 2, ranks: ["edge-1": 4, "edge-2": 2])
        try await federation.train()
        let admin = try federation.admin
        for (body, expected) in [
            (#"{"id": "second", "round": 2}"#, "404 adapter.none"),
            (#"{"id": "second", "round": 9}"#, "404 round.unknown"),
            (#"{"id": "digits"}"#, "409 federation.exists"),
            (#"{"id": "second", "settings": {"adapter": {"max_rank": 2}}}"#, "422 settings.invalid"),
            (#"{"id": "second", "settings": {"strategy": {"name": "slora"}}}"#, "422 settings.invalid"),
            (#"{"id": "second", "settings": {"rounds": {}}}"#, "422 body.invalid"),
            (#"{"id": "second", "colour": 1}"#, "422 body.invalid"),
        ] {
            #expect(try await admin.refusal(.post, path + "/fork", body: body) == expected, "\(body)")
            #expect(try await admin.refusal(.get, "/v1/federations/second") == "404 federation.unknown")
        }
        try await federation.stop()
    }

    @Test func `many clients of a round are a list, which its event names and an archive carries`() async throws {
        let names = (1...51).map { "edge-\($0)" }
        let federation = try await TrainedFederation(
            strategy: #"{"name": "rbla"}"#, ranks: Dictionary(uniqueKeysWithValues: names.map { ($0, 2) }))
        let events = try await federation.admin.get(EventsBody.self, path + "/events?limit=1000").events
        let detail = try #require(events.first { $0.kind == "round.selected" }?.detail)
        #expect(detail.hasPrefix("51 clients: sha256:"))
        let digest = detail.dropFirst("51 clients: ".count)
        let list = try await federation.admin.call(.get, path + "/lists/\(digest)")
        #expect(list.status == 200 && list.fields["Content-Type"] == "text/plain; charset=utf-8")
        #expect(String(decoding: list.body, as: UTF8.self) == names.sorted().map { "\($0)\n" }.joined())
        #expect(SHA256.hash(data: list.body).description == "SHA256 digest: \(digest.dropFirst(7))")
        let other = "sha256:" + String(repeating: "0", count: 64)
        #expect(try await federation.admin.refusal(.get, path + "/lists/\(other)") == "404 list.unknown")
        #expect(try await federation.admin.refusal(.get, path + "/lists/7") == "400 request.argument")
        let archive = try await federation.admin.call(.get, path + "/archive").body
        #expect(try await federation.admin.call(.delete, path + "?release=true").status == 200)
        #expect(try await federation.admin.refusal(.get, path + "/lists/\(digest)") == "404 federation.unknown")
        #expect(try await federation.admin.call(.post, "/v1/archives", bytes: archive).status == 201)
        #expect(try await federation.admin.call(.get, path + "/lists/\(digest)").body == list.body)
        try await federation.stop()
    }

    @Test func `an archive goes on elsewhere where the federation stood`() async throws {
        let federation = try await TrainedFederation(
            strategy: #"{"name": "rbla"}"#, rounds: 3, ranks: ["edge-1": 4, "edge-2": 2])
        try await federation.train()
        // One update of round 2 is there.
        let plan = try await federation.plan(of: "edge-1")
        let update = try await federation.update(of: "edge-1", plan)
        #expect(try await federation.send(update, of: "edge-1", plan).status == 201)
        let archive = try await federation.admin.call(.get, path + "/archive")
        #expect(archive.status == 200 && archive.fields["Content-Type"] == "application/x-tar")
        #expect(try await federation.admin.refusal(.get, "/v1/federations/none/archive") == "404 federation.unknown")
        let original = try await federation.reader.call(.get, path + "/rounds/1/adapter?rank=4").body
        let events = try await federation.admin.call(.get, path + "/events?limit=1000").body
        #expect(
            try await federation.admin.call(.post, "/v1/archives", bytes: archive.body).status == 409)
        // On another server, which has other federations.
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let other = try await LiveServer(folder: folder)
        let admin = try Caller(other, token: LiveServer.admin)
        let another =
            #"{"id": "one", "base_model": {"name": "b"}, "adapter": {"max_rank": 2, "modules": {"m": {"in": 2, "out": 2}}}}"#
        #expect(try await admin.call(.post, "/v1/federations", body: another).status == 201)
        let taken = try await admin.call(.post, "/v1/archives", bytes: archive.body)
        #expect(taken.status == 201, "\(String(decoding: taken.body, as: UTF8.self))")
        #expect(try await admin.call(.get, path + "/rounds/1/adapter?rank=4").body == original)
        let hashes = { (body: [UInt8]) in try WireJSON.decode(EventsBody.self, from: Data(body)).events.map(\.hash) }
        #expect(
            try hashes(try await admin.call(.get, path + "/events?limit=1000").body) == (try hashes(events)))
        // A client's token is good there, its update is there, and the round ends with the other's.
        let second = try federation.client("edge-2")
        let there = try Caller(other, token: second.token)
        let itsPlan = try await there.get(PlanBody.self, path + "/plan")
        #expect(itsPlan.round == 2 && itsPlan.selected)
        #expect(try await admin.get(RoundBody.self, path + "/rounds/2").received == 1)
        let body = try await federation.update(of: "edge-2", try await federation.plan(of: "edge-2")).bytes
        #expect(try await there.call(.put, itsPlan.update + "?samples=5", bytes: body).status == 201)
        while try await admin.get(RoundBody.self, path + "/rounds/2").phase != "published" { await Task.yield() }
        try await other.stop()
        try await federation.stop()
    }

    @Test func `what is no archive is refused with the reason, and nothing of it stays`() async throws {
        let federation = try await TrainedFederation(
            strategy: #"{"name": "rbla"}"#, rounds: 2, ranks: ["edge-1": 4, "edge-2": 2])
        try await federation.train()
        let admin = try federation.admin
        let archive = try await admin.call(.get, path + "/archive").body
        #expect(try await admin.call(.delete, path + "?release=true").status == 200)
        let spool = federation.folder + "/spool"
        var flipped = archive
        // A byte of some row, and one of the header's checksum.
        let place = try #require(archive.firstRange(of: Array("round.published".utf8)))
        flipped[place.lowerBound] ^= 1
        var unnamed = archive
        unnamed[0] ^= 1
        for (bytes, reason) in [
            ([], "no rankwise.sqlite"), (Array("GIF89a".utf8), "no rankwise.sqlite"), (unnamed, "tar header"),
            (flipped, "cannot be taken in"), (Array(archive[..<2000]), "ends within"),
        ] {
            let answer = try await admin.call(.post, "/v1/archives", bytes: bytes)
            let text = String(decoding: answer.body, as: UTF8.self)
            #expect(answer.status == 422 && text.contains("archive.unsound") && text.contains(reason), "\(text)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: spool).isEmpty)
        }
        #expect(try await admin.call(.post, "/v1/archives", bytes: archive).status == 201)
        try await federation.stop()
    }

    @Test func `federations that have finished make room for others`() async throws {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var quotas = Quotas()
        quotas.federations = 1
        let server = try await LiveServer(folder: folder, quotas: quotas)
        let admin = try Caller(server, token: LiveServer.admin)
        func create(_ id: String) async throws -> Int {
            try await admin.call(
                .post, "/v1/federations",
                body:
                    #"{"id": "\#(id)", "base_model": {"name": "b"}, "adapter": {"max_rank": 2, "modules": {"m": {"in": 2, "out": 2}}}}"#
            ).status
        }
        #expect(try await create("one") == 201)
        #expect(try await create("two") == 409)
        #expect(try await admin.call(.patch, "/v1/federations/one", body: #"{"state": "finished"}"#).status == 200)
        #expect(try await create("two") == 201)
        try await server.stop()
    }

    private struct EventsBody: Decodable {
        let events: [EventBody]
    }
}
