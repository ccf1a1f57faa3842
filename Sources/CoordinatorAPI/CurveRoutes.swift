import Coordinator
import Federation
import HTTPServing
import HTTPTypes
import RankwiseWire

extension RankwiseAPI {
    /// Routes of figures over many rounds and of one client's rounds.
    func addCurveRoutes(to routes: inout Routes) {
        let services = services
        let curvePages = RoundPages(most: 500, usual: 250)
        routes.on(
            .get, "/v1/federations/{federation}/curves", for: .reader, query: curvePages.query,
            contract: RouteContract(answers: [.json(CurvesBody.schema, "The figures")], problems: [.store]),
            "The figures of rounds, the newest first, to draw curves of"
        ) { request, reader in
            let (before, limit) = try curvePages.asked(by: request)
            let (machine, rounds, evaluations) = try await services.rounds.rounds(
                before: before, limit: limit, of: reader.federation)
            return try .json(
                CurvesBody(
                    rounds.map { listed in
                        var round = CurvesBody.Round(listed, in: machine.settings.adapter)
                        round.evaluated = evaluations[listed.round.number]?.figures.metrics.mapValues(\.mean)
                        return round
                    }))
        }
        routes.on(
            .get, "/v1/federations/{federation}/rounds/{round}/coverage", for: .reader,
            contract: RouteContract(answers: [.json(CoverageBody.schema, "The counts")], problems: [.store]),
            "How many updates reach each rank component of every module"
        ) { request, reader in
            let seen = try await services.rounds.round(try request.round(), of: reader.federation)
            return try .json(CoverageBody(seen.round, in: seen.machine.settings.adapter))
        }
        let clientPages = RoundPages(most: 100, usual: 20)
        routes.on(
            .get, "/v1/federations/{federation}/clients/{client}/rounds", for: .namedClient, query: clientPages.query,
            contract: RouteContract(
                answers: [.json(ClientRoundsBody.schema, "The rounds")], problems: [.client, .store]),
            "What a client did in the rounds that know it, the newest first"
        ) { request, client in
            let (before, limit) = try clientPages.asked(by: request)
            let (machine, rounds) = try await services.rounds.rounds(
                knowing: client.name, before: before, limit: limit, of: client.federation)
            let isBuffered = machine.settings.policy.buffer != nil
            return try .json(ClientRoundsBody(rounds.map { ClientRoundsBody.Round($0, isBuffered: isBuffered) }))
        }
    }
}

extension CurvesBody.Round {
    init(_ listed: ListedRound, in adapter: FederationSettings.Adapter) {
        let round = listed.round
        let outline = RoundBody.phase(of: round)
        let summary = listed.summary ?? RoundSummary(round, of: adapter)
        self.init(
            round: round.number, phase: outline.name, openedAt: round.openedAt.timestamp,
            closedAt: round.closedAt?.timestamp,
            seconds: round.closedAt.map { Double($0.milliseconds - round.openedAt.milliseconds) / 1000 },
            selected: summary.selected, received: summary.received, refused: summary.refused, loss: summary.loss,
            accuracy: summary.accuracy, updateBytes: summary.byteCount, adapterBytes: outline.adapter?.bytes,
            ranks: summary.ranks.map { ranks in
                Dictionary(uniqueKeysWithValues: ranks.map { ("\($0.key)", $0.value) })
            },
            norms: summary.norms.map { CurvesBody.Range(low: $0.low, median: $0.median, high: $0.high) })
    }
}

extension CoverageBody {
    init(_ round: RoundMachine, in adapter: FederationSettings.Adapter) {
        self.init(
            round: round.number, updates: round.acceptedCount,
            modules: round.rankCoverage(in: adapter).mapValues { coverage in
                Module(
                    maxRank: coverage.maximumRank,
                    steps: coverage.steps.map { Step(through: $0.through, updates: $0.updates) })
            })
    }
}

extension ClientRoundsBody.Round {
    init(_ round: ClientRound, isBuffered: Bool) {
        self.init(
            round: round.number, answer: round.answer?.rawValue,
            update: round.update.map { update in
                RoundBody.Update(
                    update, staleness: isBuffered ? round.number - (update.began ?? round.number) : nil)
            },
            refusals: round.refusals.map(RoundBody.Refusal.init))
    }
}
