import Coordinator
package import Federation
import Foundation
import HTTPServing
import HTTPTypes
package import RankwiseWire

extension RankwiseAPI {
    /// The limit on a reason's body, in bytes. It suffices for every valid reason, even with escaped characters.
    private static let declineLimit = 8 << 10
    private static let reasonLimit = 500

    private static let poll: DeclaredQuery = [
        .init("after", .integer, "the revision that the caller knows; answers when there is a later one"),
        .init("wait", .integer, "0 to 60 seconds to wait for it; 0 where absent", in: 0...60),
    ]

    /// Routes of rounds, of the client's plan, and of leaving a round.
    func addRoundRoutes(to routes: inout Routes) {
        let services = services
        routes.on(
            .get, "/v1/federations/{federation}/rounds/current", for: .reader, query: Self.poll,
            contract: RouteContract(answers: .poll(RoundBody.schema)),
            "The round that is under way"
        ) { request, reader in
            guard let poll = try request.longPoll() else {
                return try Self.current(try services.rounds.current(of: reader.federation))
            }
            let news = try await request.park {
                try await services.rounds.current(of: reader.federation, after: poll.revision, waiting: poll.seconds)
            }
            return try news.map { try Self.current($0) } ?? Response(status: .noContent)
        }
        routes.on(
            .get, "/v1/federations/{federation}/rounds/{round}", for: .reader,
            contract: RouteContract(answers: [.json(RoundBody.schema, "The round")], problems: [.store]), "One round"
        ) { request, reader in
            let seen = try await services.rounds.round(try request.round(), of: reader.federation)
            return try .json(RoundBody(seen.round, of: seen.machine, evaluation: seen.evaluation))
        }
        let pages = RoundPages(most: 100, usual: 20)
        routes.on(
            .get, "/v1/federations/{federation}/rounds", for: .reader, query: pages.query,
            contract: RouteContract(
                answers: [.json(.listing("rounds", of: RoundBody.schema), "The rounds")], problems: [.store]),
            "Rounds, the newest first, without their updates"
        ) { request, reader in
            let (before, limit) = try pages.asked(by: request)
            let (machine, rounds, evaluations) = try await services.rounds.rounds(
                before: before, limit: limit, of: reader.federation)
            return try .json([
                "rounds": rounds.map { RoundBody($0, of: machine, evaluation: evaluations[$0.round.number]) }
            ])
        }
        routes.on(
            .get, "/v1/federations/{federation}/rounds/{round}/updates", for: .reader,
            query: [
                .init("after", .name, "only clients whose names come later"),
                .init("limit", .integer, "1 to 1000 updates; 1000 where absent", in: 1...1000),
            ],
            contract: RouteContract(answers: [.json(UpdatesBody.schema, "The updates")], problems: [.store]),
            "The updates of a round, in the order of their clients' names"
        ) { request, reader in
            let limit = try request.integer("limit", in: 1...RoundBody.mostListed) ?? RoundBody.mostListed
            let seen = try await services.rounds.round(try request.round(), of: reader.federation)
            return try .json(
                UpdatesBody(seen.round, of: seen.machine, after: try request.name("after"), limit: limit))
        }
        routes.on(
            .put, "/v1/federations/{federation}/rounds/{round}/decline", for: .client,
            contract: RouteContract(
                body: .json(DeclineBody.schema), answers: [.none("It is noted")],
                problems: [.document, .client, .update, .store]),
            "Says that the client sends nothing in this round"
        ) { request, client in
            let number = try request.round()
            let reason = try await Self.reason(request)
            try await services.rounds.decline(number, of: client.federation, by: client.name, reason: reason)
            return Response(status: .noContent)
        }
        routes.on(
            .put, "/v1/federations/{federation}/leave", for: .client,
            contract: RouteContract(
                body: .json(DeclineBody.schema), answers: [.none("It is noted")],
                problems: [.document, .client, .store]),
            "Takes the client out of the rounds to come"
        ) { request, client in
            try await services.rounds.leave(client.federation, by: client.name, reason: try await Self.reason(request))
            return Response(status: .noContent)
        }
        routes.on(
            .get, "/v1/federations/{federation}/plan", for: .client, query: Self.poll,
            contract: RouteContract(answers: .poll(PlanBody.schema), problems: [.client]),
            "What the client is to do"
        ) { request, client in
            guard let poll = try request.longPoll() else {
                return try Self.answer(try services.plans.plan(for: client.name, in: client.federation))
            }
            let news = try await request.park {
                try await services.plans.news(
                    for: client.name, in: client.federation, after: poll.revision, waiting: poll.seconds)
            }
            return try Self.plan(of: client.name, in: client.federation, at: news, from: services.plans)
        }
    }

    /// The reason why a client sends nothing.
    private static func reason(_ request: Request) async throws -> String {
        let bytes = try await request.body.collect(upTo: declineLimit)
        let body = try WireJSON.decodeStrictly(DeclineBody.self, from: Data(bytes))
        guard body.reason.unicodeScalars.count <= reasonLimit else {
            throw WireError(path: "reason", reason: "is too long; expected at most \(reasonLimit) characters")
        }
        return body.reason
    }

    /// A function of its own, because a handler holds its stack space while it waits, and thousands wait for their
    /// plans.
    @inline(never)
    private static func plan(
        of client: ClientName, in federation: FederationID, at news: FederationSnapshot?, from plans: PlanService
    ) throws -> Response {
        guard let news else { return Response(status: .noContent) }
        return try answer(plans.plan(for: client, in: federation, at: news))
    }

    @inline(never)
    private static func answer(_ plan: ClientPlan) throws -> Response { try .json(PlanBody(plan)) }

    /// The current round, rendered once for each stored step.
    @inline(never)
    private static func current(_ snapshot: FederationSnapshot) throws -> Response {
        try snapshot.rendered { snapshot in
            try Response.json(
                snapshot.machine.round.map {
                    RoundBody(
                        $0, of: snapshot.machine, evaluation: snapshot.machine.evaluation(ofRound: $0.number))
                }
                    ?? RoundBody(waiting: snapshot.machine))
        }
    }
}

extension UpdatesBody {
    init(_ round: RoundMachine, of machine: FederationMachine, after: ClientName?, limit: Int) {
        let (updates, next) = RoundBody.updates(of: round, in: machine, after: after, limit: limit)
        self.init(updates: updates, next: next)
    }
}

extension RoundBody {
    /// The highest number of updates, and of refusals, that a round is listed with.
    package static let mostListed = 1000

    /// Some of a round's updates in ascending order of client name, and the last one's name where more follow.
    fileprivate static func updates(
        of round: RoundMachine, in machine: FederationMachine, after: ClientName? = nil, limit: Int
    ) -> ([Update], next: String?) {
        let rest = Array(round.updates.elements(after: after).prefix(limit + 1))
        let isBuffered = machine.settings.policy.buffer != nil
        let updates = rest.prefix(limit).map { _, update in
            Update(update, staleness: isBuffered ? round.number - (update.began ?? round.number) : nil)
        }
        return (updates, rest.count > limit ? updates.last?.client : nil)
    }

    /// A round in a list, without its updates and refusals.
    init(_ outline: ListedRound, of machine: FederationMachine, evaluation: ListedEvaluation? = nil) {
        self.init(outline.round, of: machine, evaluation: evaluation)
        (updates, refusals, updatesNext, isOutline) = ([], [], nil, true)
        guard let summary = outline.summary else { return }
        (selected, received, refused) = (summary.selected, summary.received, summary.refused)
        coverage = summary.coverage
        metrics = Metrics(loss: summary.loss, accuracy: summary.accuracy)
    }

    package init(_ round: RoundMachine, of machine: FederationMachine, evaluation: ListedEvaluation? = nil) {
        let (updates, next) = Self.updates(of: round, in: machine, limit: Self.mostListed)
        let phase = Self.phase(of: round)
        self.init(
            federation: machine.settings.id.rawValue, round: round.number, phase: phase.name, reason: phase.reason,
            revision: machine.revision, strategy: machine.settings.strategy.name, openedAt: round.openedAt.timestamp,
            deadlineAt: round.deadline.timestamp, closedAt: round.closedAt?.timestamp,
            selected: round.participations.count,
            received: round.receivedCount, refused: round.refusals.count, minUpdates: round.minimumUpdates,
            minCoverage: round.minimumCoverage,
            coverage: round.minimumCoverage.flatMap { _ in round.coverage(in: machine.settings.adapter) },
            buffer: machine.settings.policy.buffer == nil ? nil : round.targetUpdates,
            awaited: round.participations.lazy.filter { $0.value.state == .awaited }.prefix(100).map(\.key.rawValue),
            updates: updates, updatesNext: next,
            refusals: round.refusals.prefix(Self.mostListed).map(Refusal.init),
            decisions: round.decisions.map {
                Decision(at: $0.at.timestamp, kind: $0.kind, client: $0.client?.rawValue, reason: $0.detail)
            },
            metrics: Metrics(round.metrics), adapter: phase.adapter)
        self.evaluation = evaluation.map { Evaluation($0) }
    }

    /// A round's phase in words, why it failed, and what it published.
    static func phase(of round: RoundMachine) -> (name: String, reason: String?, adapter: Adapter?) {
        switch round.phase {
        case .collecting: return ("collecting", nil, nil)
        case .aggregating: return ("aggregating", nil, nil)
        case .published(let published):
            let adapter = Adapter(
                digest: "\(published.digest)", bytes: published.byteCount, ranks: published.ranks,
                merge: published.hasMerge)
            return ("published", nil, adapter)
        case .failed(let reason): return ("failed", reason, nil)
        }
    }

    /// The document before round 1 opens.
    init(waiting machine: FederationMachine) {
        self.init(
            federation: machine.settings.id.rawValue, round: 0, phase: "waiting", reason: nil,
            revision: machine.revision, strategy: machine.settings.strategy.name, openedAt: nil, deadlineAt: nil,
            closedAt: nil, selected: 0, received: 0, refused: 0, minUpdates: machine.settings.policy.minimumUpdates,
            updates: [], refusals: [], metrics: Metrics(), adapter: nil)
    }
}

extension RoundBody.Update {
    init(_ update: Update, staleness: Int?) {
        let (status, reason): (String, String?) =
            switch update.status {
            case .accepted: ("accepted", nil)
            case .leftOut(let reason): ("left_out", reason)
            case .lost(let reason): ("lost", reason)
            case .takenBack(let reason): ("taken_back", reason)
            }
        self.init(
            client: update.client.rawValue, status: status, reason: reason,
            rank: update.rank, samples: update.samples, digest: "\(update.digest)", bytes: update.byteCount,
            receivedAt: update.receivedAt.timestamp, metrics: RoundBody.Metrics(update.metrics),
            norm: update.norm, staleness: staleness)
    }
}

extension RoundBody.Refusal {
    init(_ refusal: Refusal) {
        self.init(
            client: refusal.client.rawValue, at: refusal.at.timestamp, code: refusal.code, detail: refusal.detail,
            count: refusal.count)
    }
}

extension RoundBody.Metrics {
    init(_ metrics: Metrics) { self.init(loss: metrics.loss, accuracy: metrics.accuracy) }
}
