import AdapterFormat
import Foundation
import HTTPFetching
import RankwiseWire
import Testing

/// `robust` over real sockets: what rounds say of their rules, and what is refused at creation.
@Suite struct RobustTests {
    private static let path = TrainedFederation.path
    private static let names = ["a", "bb", "ccc", "dddd", "eeeee"]
    private static let ranks = Dictionary(uniqueKeysWithValues: names.map { ($0, 4) })

    /// Lets everybody answer round 1; one client sends a factor as large as it pleases.
    private func play(_ subject: TrainedFederation, attacker: String?) async throws -> RoundBody {
        for name in Self.names {
            let plan = try await subject.plan(of: name)
            let update = try await subject.update(of: name, plan, stretch: name == attacker ? 1000 : 1)
            #expect(try await subject.send(update, of: name, plan).status == 201)
        }
        return try await subject.waitForEnd(of: 1)
    }

    private static let balanceOff = #", "limits": {"max_factor_over_median": null}"#

    @Test func `a trimmed mean does not see the largest update, and the round says which rows stay`() async throws {
        let subject = try await TrainedFederation(
            strategy: #"{"name": "rbla"}"#,
            more: #", "robust": {"rule": "trimmed", "fraction": 0.25, "holders": 5}"# + Self.balanceOff, rounds: 2,
            ranks: Self.ranks.merging(["a": 2]) { $1 })
        let round = try await play(subject, attacker: "ccc")
        #expect(round.updates.allSatisfy { $0.status == "accepted" })
        let said = round.decisions.filter { $0.kind == "round.robust" }.compactMap(\.reason)
        #expect(
            said == ["trimmed: fewer than 5 updates hold these, which stay as they were: fc1 rows 3 to 4, fc2 row 2"])
        let published = try await subject.adapter(Self.path + "/adapter")
        let largest = published.modules.flatMap { $0.a?.floats() ?? [] }.map(abs).max() ?? .infinity
        #expect(largest < 2, "the attacker's are near 500")
        let settings = try await subject.admin.get(FederationBody.self, Self.path).settings
        #expect(
            settings.robust == .init(rule: "trimmed", parameters: ["fraction": .number(0.25), "holders": .integer(5)]))
        let events = try await subject.admin.get([String: [EventBody]].self, Self.path + "/events?limit=1000")
        #expect(events["events"]?.contains { $0.kind == "round.robust" && $0.round == 1 } == true)
        try await subject.stop()
    }

    @Test func `krum leaves an attacker out on record, in the step that publishes`() async throws {
        let subject = try await TrainedFederation(
            strategy: #"{"name": "rbla"}"#,
            more: #", "robust": {"rule": "krum", "byzantine": 1, "keep": 4}"# + Self.balanceOff, rounds: 2,
            ranks: Self.ranks)
        for name in Self.names {
            let plan = try await subject.plan(of: name)
            // All others send about the same; the attacker moves far away from them.
            let update = try await subject.update(
                of: "a", plan, away: name == "dddd" ? 50 : 0.001 * Float(name.utf8.count))
            #expect(try await subject.send(update, of: name, plan).status == 201)
        }
        let round = try await subject.waitForEnd(of: 1)
        #expect(round.updates.filter { $0.status == "left_out" }.map(\.client) == ["dddd"])
        #expect(round.received == 5)
        let reason = try #require(round.updates.first { $0.client == "dddd" }?.reason)
        #expect(
            reason.hasPrefix("update.krum: its score, ")
                && reason.hasSuffix("is number 5 of 5 in ascending order; 4 are kept"))
        #expect(round.decisions.contains { $0.kind == "update.left_out" && $0.client == "dddd" && $0.reason == reason })
        // What is stored says the same.
        try await subject.restart()
        let again = try await subject.reader.get(RoundBody.self, Self.path + "/rounds/1")
        #expect(again.updates == round.updates && again.decisions == round.decisions)
        let published = try await subject.adapter(Self.path + "/adapter")
        #expect(published.modules.flatMap { $0.a?.floats() ?? [] }.map(abs).max() ?? .infinity < 2)
        // Its client takes part in the next round.
        #expect(try await subject.plan(of: "dddd").selected)
        try await subject.stop()
    }

    @Test(arguments: [#"{"rule": "clip", "norm": 0.5}"#, #"{"rule": "geometric-median"}"#, #"{"rule": "median"}"#])
    func `every rule ends a round that has an attacker`(_ rule: String) async throws {
        let subject = try await TrainedFederation(
            strategy: #"{"name": "zeropad"}"#, more: #", "robust": "# + rule + Self.balanceOff, rounds: 2,
            ranks: Self.ranks)
        let round = try await play(subject, attacker: "ccc")
        #expect(round.updates.allSatisfy { $0.status == "accepted" })
        let said = round.decisions.filter { $0.kind == "round.robust" }.compactMap(\.reason)
        if rule.contains("clip") { #expect(said == ["clip: 5 of 5 updates were shortened to a step of norm 0.5"]) }
        try await subject.stop()
    }

    @Test func `rules are refused at creation with the key and the reason`() async throws {
        let subject = try await TrainedFederation(strategy: #"{"name": "rbla"}"#, ranks: ["a": 4])
        func create(
            _ robust: String, strategy: String = #"{"name": "rbla"}"#, round: String = #""min_updates": 5"#,
            adapter: String = ""
        ) async throws -> FetchResponse {
            try await subject.admin.call(
                .post, "/v1/federations",
                body: """
                    {"id": "other", "base_model": {"name": "mlp-6-5-3"}, "seed": 11, "strategy": \(strategy),
                     "adapter": {"max_rank": 4, "scaling": {"mode": "constant", "value": 1}, "modules": {
                       "fc1": {"in": 6, "out": 5}}\(adapter)}, "robust": \(robust), "round": {"total": 1, \(round)}}
                    """)
        }
        func refusal(
            _ robust: String, strategy: String = #"{"name": "rbla"}"#, round: String = #""min_updates": 5"#,
            adapter: String = ""
        ) async throws -> String {
            let answer = try await create(robust, strategy: strategy, round: round, adapter: adapter)
            #expect(answer.status == 422, "\(robust)")
            let problem = try WireJSON.decode(Problem.self, from: Data(answer.body))
            #expect(problem.code == "settings.invalid")
            return problem.detail
        }
        #expect(
            try await refusal(#"{"rule": "mean"}"#).hasPrefix("robust.rule is refused: there is no robust rule mean"))
        #expect(
            try await refusal(#"{"rule": "median", "fraction": 0.1}"#).hasPrefix("robust.fraction is refused: median"))
        #expect(try await refusal(#"{"rule": "trimmed", "fraction": 0.5}"#).hasPrefix("robust.fraction is refused"))
        #expect(
            try await refusal(#"{"rule": "trimmed", "fraction": "all"}"#).hasPrefix("robust.fraction has the wrong"))
        #expect(try await refusal(#"{"rule": "krum"}"#).contains("robust.byzantine"))
        #expect(
            try await refusal(#"{"rule": "krum", "byzantine": 2}"#)
                == "round.min_updates is 5; krum with these parameters needs at least 7")
        #expect(try await refusal(#"{"rule": "krum", "byzantine": 1, "keep": 5}"#).hasPrefix("robust.keep is 5; "))
        #expect(
            try await refusal(#"{"rule": "clip"}"#, strategy: #"{"name": "flora"}"#)
                .hasPrefix("robust.rule is refused: clip does not go with flora"))
        #expect(
            try await refusal(#"{"rule": "clip"}"#, strategy: #"{"name": "rbla", "sum": "exact"}"#)
                .hasPrefix("strategy.sum is refused: rbla cannot be summed exactly: it is under the robust rule clip"))
        #expect(
            try await refusal(#"{"rule": "median"}"#, round: #""min_updates": 2, "buffer": 4"#)
                .hasPrefix("round.buffer is refused: median compares"))
        #expect(
            try await refusal(#"{"rule": "clip"}"#, adapter: #", "dense": {"head": [3]}"#)
                .hasPrefix("adapter.dense.head is refused: robust clip moves on from earlier values"))
        let nameless = try await create(#"{"fraction": 0.1}"#)
        #expect(nameless.status == 422 && String(decoding: nameless.body, as: UTF8.self).contains("robust.rule"))
        // The same rules hold for what is changed later.
        #expect(try await create(#"{"rule": "krum", "byzantine": 1}"#).status == 201)
        let lower = try await subject.admin.call(
            .patch, "/v1/federations/other", body: #"{"round": {"total": 1, "min_updates": 4}}"#)
        #expect(lower.status == 422)
        #expect(String(decoding: lower.body, as: UTF8.self).contains("krum with these parameters needs at least 5"))
        try await subject.stop()
    }
}
