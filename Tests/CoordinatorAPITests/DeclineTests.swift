import Foundation
import HTTPFetching
import RankwiseWire
import Testing

/// Clients that say over HTTP that they will send nothing.
@Suite struct DeclineTests {
    private func withFederation(_ body: (TrainedFederation) async throws -> Void) async throws {
        let federation = try await TrainedFederation(
            strategy: #"{"name": "rbla"}"#, policy: #""min_updates": 1, "min_clients": 2"#, ranks: ["a": 4, "b": 2])
        try await body(federation)
        try await federation.server.stop()
    }

    @Test func `who declines is told so by its plan, and the round's record says why`() async throws {
        try await withFederation { federation in
            let client = try federation.client("a")
            let path = TrainedFederation.path
            #expect(try await client.get(PlanBody.self, path + "/plan").selected == true)
            for _ in 1...2 {
                let answer = try await client.call(
                    .put, path + "/rounds/1/decline", body: #"{"reason": "the loss diverged"}"#)
                #expect(answer.status == 204)
            }
            let plan = try await client.get(PlanBody.self, path + "/plan")
            #expect(plan.round == 1 && !plan.selected && !plan.answered)
            let round = try await federation.reader.get(RoundBody.self, path + "/rounds/1")
            let decision = try #require(round.decisions.last)
            #expect(decision.kind == "client.declined" && decision.client == "a")
            #expect(decision.reason == "the loss diverged")
            #expect(round.awaited == ["b"])
        }
    }

    @Test func `who leaves is not waited for, and asked again once it calls`() async throws {
        try await withFederation { federation in
            let (path, leave) = (TrainedFederation.path, TrainedFederation.path + "/leave")
            let client = try federation.client("a")
            for _ in 1...2 {
                #expect(try await client.call(.put, leave, body: #"{"reason": "has stopped"}"#).status == 204)
            }
            let round = try await federation.reader.get(RoundBody.self, path + "/rounds/1")
            #expect(round.awaited == ["b"])
            #expect(round.decisions.last?.kind == "client.declined" && round.decisions.last?.reason == "has stopped")
            for number in 1...2 {
                let plan = try await federation.plan(of: "b")
                #expect(plan.round == number)
                let update = try await federation.update(of: "b", plan)
                #expect(try await federation.send(update, of: "b", plan).status == 201)
                #expect(try await federation.waitForEnd(of: number).phase == "published")
                let next = try await federation.reader.get(RoundBody.self, path + "/rounds/\(number + 1)")
                #expect(next.awaited == ["b"])
            }
            var plan = try await client.get(PlanBody.self, path + "/plan")
            while !plan.selected {
                let answer = try await client.call(.get, path + "/plan?after=\(plan.revision)&wait=60")
                if answer.status == 200 { plan = try WireJSON.decode(PlanBody.self, from: Data(answer.body)) }
            }
            #expect(plan.round == 3)
        }
    }

    @Test func `a reason for leaving is checked as one for declining`() async throws {
        try await withFederation { federation in
            let (path, client) = (TrainedFederation.path + "/leave", try federation.client("a"))
            #expect(try await client.refusal(.put, path, body: #"{"reason": 7}"#) == "422 body.invalid")
            let long = #"{"reason": "\#(String(repeating: "o", count: 501))"}"#
            #expect(try await client.refusal(.put, path, body: long) == "422 body.invalid")
            let round = try await federation.reader.get(RoundBody.self, TrainedFederation.path + "/rounds/1")
            #expect(round.awaited == ["a", "b"])
        }
    }

    @Test(arguments: [
        (1, "", "400 body.invalid"), (1, "{}", "422 body.invalid"), (1, #"{"reason": 7}"#, "422 body.invalid"),
        (1, #"{"reason": "no", "until": 3}"#, "422 body.invalid"), (2, #"{"reason": "no"}"#, "404 round.unknown"),
        (1, #"{"reason": "\#(String(repeating: "o", count: 501))"}"#, "422 body.invalid"),
        (1, #"{"reason": "\#(String(repeating: "o", count: 9000))"}"#, "413 request.too_large"),
    ])
    func `a decline that makes no sense is refused`(round: Int, body: String, expected: String) async throws {
        try await withFederation { federation in
            let path = TrainedFederation.path + "/rounds/\(round)/decline"
            let client = try federation.client("a")
            #expect(try await client.refusal(.put, path, body: body) == expected)
        }
    }
}
