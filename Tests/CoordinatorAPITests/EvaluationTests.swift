import Foundation
import HTTPFetching
import RankwiseWire
import Testing

/// Evaluations over a real socket: plans, answers, figures, the best round, and a restart in between.
@Suite struct EvaluationTests {
    private static let path = TrainedFederation.path
    private static let settings = #"""
        , "evaluation": {"deadline_seconds": 600, "best": {"metric": "accuracy"}}
        """#

    /// Clients a, b and c, of which c cannot evaluate.
    private static func start(_ settings: String = Self.settings, rounds: Int = 3) async throws -> TrainedFederation {
        let federation = try await TrainedFederation(
            strategy: #"{"name": "rbla"}"#, more: settings, rounds: rounds, ranks: ["a": 4, "b": 2, "c": 2])
        for (name, rank) in [("a", 4), ("b", 2)] {
            let capabilities = #"{"evaluate": true}"#
            #expect(
                try await federation.register(name, rank: rank, capabilities: capabilities, byItself: true) == 200)
        }
        return federation
    }

    private static func answer(
        _ federation: TrainedFederation, _ name: String, _ round: Int, _ body: String
    ) async throws -> String {
        let answer = try await federation.client(name).call(
            .put, path + "/rounds/\(round)/evaluation", body: body)
        guard answer.status >= 300 else { return "\(answer.status)" }
        let problem = try WireJSON.decode(Problem.self, from: Data(answer.body))
        return "\(answer.status) \(problem.code)"
    }

    @Test func `clients score a round beside the next one, and the best round is right after a restart`() async throws {
        let federation = try await Self.start()
        #expect(try await federation.plan(of: "a").holdout == 0.2)
        #expect(try await federation.plan(of: "a").evaluate == nil)
        let reader = try federation.reader
        #expect(try await reader.refusal(.get, Self.path + "/adapter?round=best") == "404 evaluation.none")
        try await federation.train()
        let asked = try #require(try await federation.plan(of: "a").evaluate)
        #expect(asked.round == 1 && asked.href == Self.path + "/rounds/1/evaluation")
        #expect(try await federation.plan(of: "c").evaluate == nil)

        #expect(
            try await Self.answer(federation, "a", 1, #"{"samples": 5, "metrics": {"accuracy": NaN}}"#)
                == "400 body.invalid")
        #expect(
            try await Self.answer(federation, "a", 1, #"{"samples": 5, "metrics": {"accuracy": 7}}"#)
                == "422 evaluation.metrics")
        #expect(
            try await Self.answer(federation, "a", 1, #"{"samples": -5, "metrics": {"loss": 7}}"#)
                == "422 evaluation.samples")
        #expect(try await Self.answer(federation, "a", 1, #"{"samples": 5, "metric": {}}"#) == "422 body.invalid")
        #expect(
            try await Self.answer(federation, "c", 1, #"{"samples": 5, "metrics": {"loss": 7}}"#)
                == "409 evaluation.not_asked")
        #expect(
            try await Self.answer(federation, "a", 2, #"{"samples": 5, "metrics": {"loss": 7}}"#)
                == "404 evaluation.none")

        let good = #"{"samples": 30, "metrics": {"accuracy": 0.9, "loss": 0.25}}"#
        #expect(try await Self.answer(federation, "a", 1, good) == "201")
        #expect(try await Self.answer(federation, "a", 1, good) == "200")
        #expect(
            try await Self.answer(federation, "a", 1, #"{"samples": 30, "metrics": {"loss": 0.25}}"#)
                == "409 evaluation.exists")
        try await federation.restart()
        let open = try #require(try await federation.reader.get(RoundBody.self, Self.path + "/rounds/1").evaluation)
        #expect(open.state == "open" && open.selected == 2 && open.received == 1 && open.refused == 1)
        #expect(try await federation.plan(of: "a").evaluate == nil)
        #expect(try await federation.plan(of: "b").evaluate?.round == 1)
        #expect(
            try await Self.answer(federation, "b", 1, #"{"samples": 10, "metrics": {"accuracy": 0.5}}"#) == "201")

        let closed = try #require(try await federation.reader.get(RoundBody.self, Self.path + "/rounds/1").evaluation)
        #expect(closed.state == "closed" && closed.metrics.keys.sorted() == ["accuracy", "loss"])
        let accuracy = try #require(closed.metrics["accuracy"])
        #expect(abs(accuracy.mean - 0.8) < 1e-12 && accuracy.worstDecile == 0.5 && accuracy.median == 0.7)
        #expect(accuracy.byRank["2"] == .init(clients: 1, samples: 10, mean: 0.5, worst: 0.5))
        let pages = try await federation.reader.get(
            EvaluationsBody.self, Self.path + "/rounds/1/evaluations?limit=1")
        #expect(pages.evaluations.map(\.client) == ["a"] && pages.next == "a")
        #expect(pages.evaluations[0].refusal?.contains("accuracy is 7") == true)
        let rest = try await federation.reader.get(
            EvaluationsBody.self, Self.path + "/rounds/1/evaluations?after=a")
        #expect(rest.evaluations.map(\.state) == ["answered"] && rest.next == nil)

        // Round 2 is worse, so the best one stays; it is another file than the newest.
        try await federation.train()
        for name in ["a", "b"] {
            #expect(
                try await Self.answer(federation, name, 2, #"{"samples": 9, "metrics": {"accuracy": 0.25}}"#) == "201")
        }
        try await federation.restart()
        let again = try federation.reader
        for file in ["adapter", "adapter_config.json", "model", "model/adapter_config.json"] {
            let best = try await again.call(.get, Self.path + "/\(file)?round=best")
            let first = try await again.call(.get, Self.path + "/rounds/1/\(file)")
            #expect(best.status == 200 && best.body == first.body, "\(file)")
        }
        let newest = try await again.call(.get, Self.path + "/adapter")
        #expect(try await again.call(.get, Self.path + "/adapter?round=best").body != newest.body)
        #expect(try await again.refusal(.get, Self.path + "/adapter?round=worst") == "400 request.argument")
        #expect(try await again.refusal(.get, Self.path + "/rounds/1/adapter?round=best") == "400 request.argument")
        let standing = try #require(try await again.get(FederationBody.self, Self.path).evaluation)
        #expect(standing.best == .init(round: 1, metric: "accuracy", value: accuracy.mean))
        #expect(standing.roundsWithoutImprovement == 1)
        let curves = try await again.get(CurvesBody.self, Self.path + "/curves").rounds
        #expect(curves.map { $0.evaluated?["accuracy"] } == [nil, 0.25, accuracy.mean])
        struct Rounds: Decodable { let rounds: [RoundBody] }
        let rounds = try await again.get(Rounds.self, Self.path + "/rounds").rounds
        #expect(rounds.map { $0.evaluation?.received } == [nil, 2, 2])
        try await federation.stop()
    }

    @Test func `a federation finishes after its last evaluation`() async throws {
        let federation = try await Self.start(rounds: 1)
        try await federation.train()
        let plan = try await federation.plan(of: "a")
        #expect(plan.state == "running" && plan.evaluate?.round == 1)
        #expect(try await Self.answer(federation, "a", 1, #"{"samples": 0}"#) == "201")
        #expect(try await federation.admin.call(.delete, Self.path + "/clients/b").status == 204)
        #expect(try await federation.plan(of: "a").state == "finished")
        let evaluation = try #require(
            try await federation.reader.get(RoundBody.self, Self.path + "/rounds/1").evaluation)
        #expect(evaluation.withoutData == 1 && evaluation.received == 0 && evaluation.metrics == [:])
        #expect(
            try await Self.answer(federation, "a", 1, #"{"samples": 1, "metrics": {"loss": 1}}"#)
                == "409 evaluation.exists")
        try await federation.stop()
    }

    @Test func `retention keeps the best evaluated round`() async throws {
        let federation = try await Self.start(
            Self.settings + #", "retention": {"adapters": {"last": 1, "best": true}}"#, rounds: 4)
        for accuracy in [0.5, 0.75, 0.25] {
            try await federation.train()
            let round = try await federation.plan(of: "a").evaluate?.round ?? 0
            for name in ["a", "b"] {
                let body = #"{"samples": 9, "metrics": {"accuracy": \#(accuracy)}}"#
                #expect(try await Self.answer(federation, name, round, body) == "201")
            }
        }
        try await federation.train()
        let reader = try federation.reader
        #expect(try await reader.call(.get, Self.path + "/adapter?round=best").status == 200)
        // The same retention again is carried out before the answer.
        let retention = #"{"retention": {"adapters": {"last": 1, "best": true}}}"#
        #expect(try await federation.admin.call(.patch, Self.path, body: retention).status == 200)
        #expect(try await reader.refusal(.get, Self.path + "/rounds/1/adapter") == "410 adapter.dropped")
        #expect(try await reader.refusal(.get, Self.path + "/rounds/3/adapter") == "410 adapter.dropped")
        #expect(try await reader.call(.get, Self.path + "/rounds/2/adapter").status == 200)
        try await federation.stop()
    }

    /// Plays rounds whose evaluations find these losses, and returns the adapters that they published.
    private static func play(_ losses: [Double], _ settings: String) async throws -> (
        adapters: [[UInt8]], federation: FederationBody
    ) {
        let federation = try await start(settings, rounds: 9)
        var adapters: [[UInt8]] = []
        for (index, loss) in losses.enumerated() {
            try await federation.train()
            for name in ["a", "b"] {
                let body = #"{"samples": 9, "metrics": {"loss": \#(loss)}}"#
                #expect(try await answer(federation, name, index + 1, body) == "201")
            }
            adapters.append(try await federation.reader.call(.get, path + "/rounds/\(index + 1)/adapter").body)
        }
        let seen = try await federation.reader.get(FederationBody.self, path)
        try await federation.stop()
        return (adapters, seen)
    }

    @Test func `a plateau lowers what the server adds from the next round on`() async throws {
        let server = #", "server": {"optimizer": "momentum", "learning_rate": 0.5}"#
        let best = #""best": {"metric": "loss", "mode": "min"}"#
        let plain = try await Self.play([1, 2, 3], server + ", \"evaluation\": {\(best)}")
        let lowered = try await Self.play(
            [1, 2, 3], server + ", \"evaluation\": {\(best), \"plateau\": {\"patience\": 1}}")
        #expect(plain.federation.evaluation?.learningRate == 0.5)
        #expect(lowered.federation.evaluation?.learningRate == 0.125)
        #expect(lowered.adapters.prefix(2) == plain.adapters.prefix(2))
        #expect(lowered.adapters[2] != plain.adapters[2])
    }

    @Test func `patience ends a federation with its reason`() async throws {
        let (_, federation) = try await Self.play(
            [2, 3, 2], #", "evaluation": {"best": {"metric": "loss", "mode": "min"}, "patience": 2}"#)
        #expect(federation.state == "finished" && federation.round == 4)
        #expect(federation.evaluation?.best == .init(round: 1, metric: "loss", value: 2))
        #expect(
            federation.evaluation?.stoppedFor == "no improvement in 2 evaluated rounds; the best round is 1")
    }

    @Test func `without a metric to compare by there is no best round`() async throws {
        let federation = try await Self.start(#", "evaluation": {}"#)
        #expect(try await federation.reader.refusal(.get, Self.path + "/model?round=best") == "409 evaluation.best")
        let settings = try await federation.reader.get(FederationBody.self, Self.path).settings
        #expect(settings.evaluation == .init())
        try await federation.stop()
    }
}
