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
