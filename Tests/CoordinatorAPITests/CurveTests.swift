import Foundation
import HTTPFetching
import RankwiseWire
import Testing

/// What the dashboard asks of the API beyond single rounds: figures over rounds, coverage, histories, and lists in pages.
@Suite struct CurveTests {
    private static let path = TrainedFederation.path
    private struct Events: Decodable { let events: [EventBody] }
    private struct Clients: Decodable { let clients: [ClientBody] }

    @Test func `figures of rounds, coverage and a client's history say what the rounds say`() async throws {
        let federation = try await TrainedFederation(
            strategy: #"{"name": "rbla"}"#, more: #", "limits": {"max_norm": 1000}"#, ranks: ["a": 4, "b": 2, "c": 1])
        try await federation.train()
        try await federation.train()
        let reader = try federation.reader
        let curves = try await reader.get(CurvesBody.self, Self.path + "/curves").rounds
        #expect(curves.map(\.round) == [3, 2, 1])
        #expect(try await reader.get(CurvesBody.self, Self.path + "/curves?before=3&limit=1").rounds == [curves[1]])
        for curve in curves {
            let round = try await reader.get(RoundBody.self, Self.path + "/rounds/\(curve.round)")
            #expect(curve.phase == round.phase && curve.received == round.received && curve.selected == round.selected)
            #expect(curve.accuracy == round.metrics.accuracy && curve.adapterBytes == round.adapter?.bytes)
            #expect(curve.updateBytes == round.updates.reduce(0) { $0 + $1.bytes })
            let norms = round.updates.compactMap(\.norm).sorted()
            #expect(curve.norms.map { [$0.low, $0.median, $0.high] } == (norms.isEmpty ? nil : norms))
        }
        #expect(curves[0].seconds == nil && curves[0].ranks == [:])
        #expect(curves[2].ranks == ["4": 1, "2": 1, "1": 1])
        #expect(try #require(curves[2].seconds) >= 0)

        let coverage = try await reader.get(CoverageBody.self, Self.path + "/rounds/1/coverage")
        #expect(coverage.round == 1 && coverage.updates == 3)
        let steps = coverage.modules.mapValues { $0.steps.map { [$0.through, $0.updates] } }
        // A client of rank r has max(1, round(r · 2 / 4)) components of fc2.
        #expect(steps == ["fc1": [[1, 3], [2, 2], [4, 1]], "fc2": [[1, 3], [2, 1]]])
        let empty = try await reader.get(CoverageBody.self, Self.path + "/rounds/3/coverage")
        #expect(empty.updates == 0 && empty.modules["fc1"]?.steps == [.init(through: 4, updates: 0)])

        let own = try await federation.client("b").get(ClientRoundsBody.self, Self.path + "/clients/b/rounds").rounds
        #expect(own.map(\.round) == [3, 2, 1] && own.map(\.answer) == ["awaited", "answered", "answered"])
        let first = try await reader.get(RoundBody.self, Self.path + "/rounds/1")
        #expect(own[2].update == first.updates.first { $0.client == "b" } && own[0].update == nil)
        let admin = try federation.admin
        #expect(
            try await admin.get(ClientRoundsBody.self, Self.path + "/clients/b/rounds?before=3&limit=1").rounds == [
                own[1]
            ])
        #expect(try await admin.refusal(.get, Self.path + "/clients/nobody/rounds") == "404 client.unknown")
        try await federation.stop()
    }

    @Test func `lists of clients and of events are read in pages`() async throws {
        let federation = try await TrainedFederation(strategy: #"{"name": "rbla"}"#, ranks: ["a": 4, "b": 2, "c": 1])
        let admin = try federation.admin
        let all = try await admin.get(Clients.self, Self.path + "/clients").clients
        #expect(all.map(\.name) == ["a", "b", "c"])
        let page = try await admin.get(ClientsBody<ClientBody>.self, Self.path + "/clients?limit=2")
        #expect(page.clients == Array(all.prefix(2)) && page.next == "b")
        let rest = try await admin.get(
            ClientsBody<ClientOutlineBody>.self, Self.path + "/clients?after=b&limit=2&outline=true")
        #expect(rest.clients.map(\.name) == ["c"] && rest.clients[0].answer == "awaited" && rest.next == nil)

        let events = try await admin.get(Events.self, Self.path + "/events").events
        let newest = try await admin.get(Events.self, Self.path + "/events?before=\(Int.max)&limit=2").events
        #expect(newest == events.suffix(2).reversed())
        #expect(
            try await admin.get(Events.self, Self.path + "/events?before=\(newest[1].id)").events
                == events.dropLast(2).reversed())
        #expect(try await admin.refusal(.get, Self.path + "/events?before=3&after=1") == "400 request.argument")
        try await federation.stop()
    }

    @Test func `federations are listed in pages, and a thousand outlines stay below a megabyte`() async throws {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let server = try await LiveServer(folder: folder)
        let admin = try Caller(server, token: LiveServer.admin)
        for index in 0..<7 {
            let body = """
                {"id": "f\(index)", "base_model": {"name": "m"}, "round": {"total": 2},
                 "adapter": {"max_rank": 4, "modules": {"fc1": {"in": 2, "out": 3}}}}
                """
            #expect(try await admin.call(.post, "/v1/federations", body: body).status == 201)
        }
        let all = try await admin.get(FederationsBody<FederationBody>.self, "/v1/federations")
        #expect(all.federations.map(\.id) == (0..<7).map { "f\($0)" } && all.next == nil)
        let page = try await admin.get(FederationsBody<FederationBody>.self, "/v1/federations?limit=3&after=f1")
        #expect(page.federations == Array(all.federations[2..<5]) && page.next == "f4")
        let answer = try await admin.call(.get, "/v1/federations?limit=7&outline=true")
        let outlines = try WireJSON.decode(FederationsBody<FederationOutlineBody>.self, from: Data(answer.body))
        #expect(outlines.federations.map(\.state) == Array(repeating: "waiting", count: 7) && outlines.next == nil)
        #expect(outlines.federations[0].open == nil && outlines.federations[0].maxRank == 4)
        #expect(answer.body.count / 7 * 1000 < 1_000_000)
        #expect(try await admin.refusal(.get, "/v1/federations?limit=0") == "400 request.argument")
        #expect(try await admin.refusal(.get, "/v1/federations?after=No") == "400 request.argument")
        try await server.stop()
    }

    @Test func `a token's holder is told who it is`() async throws {
        let federation = try await TrainedFederation(strategy: #"{"name": "rbla"}"#, ranks: ["a": 4])
        #expect(try await federation.admin.get(CallerBody.self, "/v1/caller") == CallerBody(role: "admin"))
        #expect(
            try await federation.reader.get(CallerBody.self, "/v1/caller")
                == CallerBody(role: "reader", federation: "digits"))
        #expect(
            try await federation.client("a").get(CallerBody.self, "/v1/caller")
                == CallerBody(role: "client", federation: "digits", client: "a"))
        #expect(try await Caller(federation.server, token: nil).refusal(.get, "/v1/caller") == "401 auth.token")
        try await federation.stop()
    }
}
