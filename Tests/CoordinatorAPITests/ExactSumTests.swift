import Foundation
import HTTPFetching
import RankwiseWire
import Testing

/// `strategy.sum: exact` over real sockets.
@Suite struct ExactSumTests {
    private func problem(_ answer: FetchResponse) throws -> Problem {
        try WireJSON.decode(Problem.self, from: Data(answer.body))
    }

    @Test func `a federation says how it sums, and refuses what does not fit as update.range`() async throws {
        let subject = try await TrainedFederation(
            strategy: #"{"name": "rbla", "sum": "exact"}"#, more: #", "limits": {"max_factor_over_median": null}"#,
            ranks: ["a": 4, "b": 2])
        let body = try await subject.reader.call(.get, TrainedFederation.path).body
        #expect(String(decoding: body, as: UTF8.self).contains(#""sum":"exact""#))
        let plan = try await subject.plan(of: "a")
        let answer = try await subject.send(try await subject.update(of: "a", plan, stretch: 1e12), of: "a", plan)
        #expect(answer.status == 422)
        let problem = try problem(answer)
        #expect(problem.code == "update.range" && problem.detail.hasPrefix("fc1.lora_A.weight has "))
        #expect(problem.detail.contains("exact sums of at most "))
        try await subject.train()
        let round = try await subject.reader.get(RoundBody.self, TrainedFederation.path + "/rounds/1")
        #expect(round.refusals.map(\.code) == ["update.range"])
        try await subject.stop()
    }

    @Test func `a strategy without row sums and an unknown sum are refused with the key`() async throws {
        let subject = try await TrainedFederation(strategy: #"{"name": "rbla"}"#, ranks: ["a": 4])
        let body = try await subject.reader.call(.get, TrainedFederation.path).body
        #expect(String(decoding: body, as: UTF8.self).contains(#""sum":"float""#))
        for (strategy, sentence) in [
            (#"{"name": "flora", "sum": "exact"}"#, "flora cannot be summed exactly: it is not a row sum"),
            (#"{"name": "rbla", "weighting": "norm", "sum": "exact"}"#, "weighs by norm"),
            (#"{"name": "rbla", "sum": "double"}"#, "is double; expected float or exact"),
        ] {
            let settings = """
                {"id": "other", "base_model": {"name": "mlp-6-5-3"}, "seed": 11, "strategy": \(strategy),
                 "adapter": {"max_rank": 4, "scaling": {"mode": "constant", "value": 1}, "modules": {
                   "fc1": {"in": 6, "out": 5}}}, "round": {"total": 1, "min_updates": 1}}
                """
            let answer = try await subject.admin.call(.post, "/v1/federations", body: settings)
            #expect(answer.status == 422)
            let problem = try problem(answer)
            #expect(
                problem.code == "settings.invalid" && problem.detail.contains("strategy.sum")
                    && problem.detail.contains(sentence), "\(problem.detail)")
        }
        try await subject.stop()
    }
}
