import ClientAgent
import Foundation
import HTTPFetching
import RankwiseWire
import ServerCalls
import Synchronization
import TestStage
import Testing
import Training
import TrainingData

/// Agents and the built server over real sockets: one agent dies while it evaluates, one client lies, one has no held-out
/// examples, and the server is replaced in between.
@Suite(.ownThread) struct EvaluationTests {
    private static let admin = "an-admin-token-of-more-than-32-bytes"
    private static let settings = """
        {"id": "f", "base_model": {"name": "mlp-2-8-2", "seed": 5},
         "adapter": {"max_rank": 4, "modules": {"fc1": {"in": 2, "out": 8}, "fc2": {"in": 8, "out": 2}}},
         "strategy": {"name": "rbla"}, "training": {"epochs": 3, "learning_rate": 0.1},
         "evaluation": {"deadline_seconds": 2, "best": {"metric": "loss", "mode": "min"}},
         "round": {"total": 4, "min_clients": 5, "min_updates": 3, "deadline_seconds": 86400, "seen_seconds": 86400}}
        """

    @Test func `who dies, lies or has no data costs nobody else their figures, and round=best is right`() async throws {
        let stage = try await Stage()
        defer { stage.end() }
        let mortal = MortalTrainer(stage.trainer(examples: 40))
        let work = Task {
            try await withThrowingTaskGroup(of: Agent.Outcome.self) { group in
                for (name, rank, examples) in [("edge-a", 4, 40), ("edge-b", 2, 60), ("poor", 2, 1)] {
                    group.addTask { try await stage.agent(name, rank: rank, stage.trainer(examples: examples)).run() }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
        }
        let dying = Task { try await stage.agent("mortal", rank: 4, mortal).run() }
        let liar = Task { try await stage.lie() }

        // It is killed in the middle of the first evaluation, which then ends at its deadline without it.
        await mortal.isEvaluating()
        dying.cancel()
        await #expect(throws: AgentError.cancelled) { try await dying.value }
        let first = try await stage.closedEvaluation(ofRound: 1)
        #expect(first.selected == 5 && first.received == 2 && first.withoutData == 1 && first.refused == 1)
        #expect(first.metrics["loss"]?.byRank.keys.sorted() == ["2", "4"])
        #expect(first.metrics["loss"]?.clients == 2 && first.metrics["accuracy"] != nil)
        let clients = try await stage.get(EvaluationsBody.self, "/rounds/1/evaluations").evaluations
        #expect(
            clients.map { "\($0.client) \($0.state)" } == [
                "edge-a answered", "edge-b answered", "liar missed", "mortal missed", "poor without_data",
            ])
        #expect(clients[2].refusal?.contains("loss is 1e+300") == true)
        // The trainers hold one of five out.
        #expect(clients[0].samples == 8 && clients[1].samples == 12)
        let update = try #require(
            try await stage.get(RoundBody.self, "/rounds/1").updates.first { $0.client == "edge-a" })
        #expect(update.samples == 32)

        try stage.restart()
        try await stage.revoke("mortal")
        #expect(try await work.value == Array(repeating: .federationFinished, count: 3))
        liar.cancel()
        _ = await liar.result

        var losses: [Int: Double] = [:]
        for round in 1...4 {
            let evaluation = try await stage.closedEvaluation(ofRound: round)
            #expect(evaluation.received == 2 && evaluation.withoutData == 1, "round \(round)")
            losses[round] = evaluation.metrics["loss"]?.mean
            // What evaluations take is a small part of the round.
            #expect(evaluation.metrics["seconds"]?.mean ?? 1 < 0.5)
        }
        let best = try #require(losses.min { ($0.value, $0.key) < ($1.value, $1.key) }?.key)
        for isRestarted in [false, true] {
            if isRestarted { try stage.restart() }
            let standing = try #require(try await stage.get(FederationBody.self, "").evaluation?.best)
            #expect(standing.round == best && standing.value == losses[best] && standing.metric == "loss")
            let named = try await stage.bytes("/rounds/\(best)/adapter?rank=2")
            #expect(try await stage.bytes("/adapter?round=best&rank=2") == named && !named.isEmpty)
        }
    }

    /// A trainer whose first evaluation never ends.
    private final class MortalTrainer: LocalTrainer {
        private let trainer: NativeTrainer
        private let begun = AsyncStream<Void>.makeStream()
        private let never = AsyncStream<Void>.makeStream()

        init(_ trainer: NativeTrainer) { self.trainer = trainer }

        var evaluates: Bool { true }

        func isEvaluating() async { for await _ in begun.stream { return } }

        func train(
            _ assignment: TrainingAssignment, progress: @escaping @Sendable (TrainingProgress) -> Void
        ) async throws(TrainingError) -> TrainingOutcome {
            try await trainer.train(assignment, progress: progress)
        }

        func evaluate(_ assignment: TrainingAssignment) async throws(TrainingError) -> EvaluationOutcome {
            begun.continuation.yield()
            // Nothing ever comes: this ends when the client is killed.
            for await _ in never.stream {}
            throw .cancelled
        }
    }

    /// A server program that can be replaced at its address, and clients of it.
    private final class Stage: Sendable {
        private let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        private let port: String
        private let token: String
        private let server: Mutex<Program>
        private let fetcher: HTTPFetcher
        /// The liar's own: a fetcher takes one request after the other, and the liar's wait for news.
        private let liarsFetcher: HTTPFetcher

        init() async throws {
            (fetcher, liarsFetcher) = (try HTTPFetcher(), try HTTPFetcher())
            let program = try Self.start(folder, port: "0")
            let address = try #require(program.firstLine().split(separator: " ").last.map(String.init))
            port = try #require(address.split(separator: ":").last.map(String.init))
            server = Mutex(program)
            let created = try await fetcher.fetch(
                FetchRequest(
                    .post, address + "/v1/federations",
                    fields: [HTTPField("Authorization", "Bearer \(EvaluationTests.admin)")],
                    body: .bytes(Array(EvaluationTests.settings.utf8))))
            try #require(created.status == 201, "\(String(decoding: created.body, as: UTF8.self))")
            token = try WireJSON.decode(CreatedFederationBody.self, from: Data(created.body)).enrolmentToken
        }

        private static func start(_ folder: String, port: String) throws -> Program {
            try Program(
                "rankwise-server", ["serve", "--listen", "127.0.0.1:\(port)", "--data", folder + "/data"],
                environment: ["RANKWISE_ADMIN_TOKEN": EvaluationTests.admin])
        }

        func restart() throws {
            try server.withLock { server in
                #expect(server.stop() == 0)
                server = try Self.start(folder, port: port)
                #expect(server.firstLine().hasSuffix(":\(port)"))
            }
        }

        func end() {
            _ = server.withLock { $0.stop() }
            try? FileManager.default.removeItem(atPath: folder)
        }

        /// Points around two centres.
        func trainer(examples count: Int) -> NativeTrainer {
            let features = (0..<2 * count).map { index -> Float in
                let side: Float = (index / 2).isMultiple(of: 2) ? 1 : -1
                return side + Float(index * 7919 % 97) / 97 - 0.5
            }
            let data = DataSet(width: 2, features: features, labels: (0..<count).map { $0 % 2 })
            do {
                return NativeTrainer(try ModelRegistry.model(named: "mlp-2-8-2", seed: 5).task(data))
            } catch { preconditionFailure("the data fit the model: \(error)") }
        }

        func agent(_ name: String, rank: Int, _ trainer: any LocalTrainer) throws -> Agent {
            try Agent(
                Agent.Configuration(
                    server: "http://127.0.0.1:\(port)", federation: "f", client: name, rank: rank,
                    enrolmentToken: token, evaluates: true, pollWait: .seconds(1), trainingCheck: .seconds(1),
                    backoff: Backoff(first: .milliseconds(20), longest: .milliseconds(200))),
                state: StateFolder(folder + "/state-\(name)"), fetcher: HTTPFetcher(),
                makeTrainer: { _ in trainer })
        }

        /// A client that trains nothing, and claims what no metric can be.
        func lie() async throws {
            let own = String(repeating: "ab", count: 32)
            let registration = #"{"rank": 2, "token": "\#(own)", "capabilities": {"evaluate": true}}"#
            #expect(try await call(.put, "/clients/liar", token, registration, by: liarsFetcher).status == 201)
            var query = ""
            while !Task.isCancelled {
                // The server is replaced meanwhile, and then answers nothing; a wait without news is empty.
                guard let answer = try? await call(.get, "/plan" + query, own, by: liarsFetcher),
                    let plan = try? WireJSON.decode(PlanBody.self, from: Data(answer.body))
                else { continue }
                if plan.state == "finished" { return }
                query = "?after=\(plan.revision)&wait=20"
                if let evaluate = plan.evaluate {
                    let path = "/rounds/\(evaluate.round)/evaluation"
                    for (value, status) in [("NaN", 400), ("1e300", 422), ("-1e999", 400)] {
                        let body = #"{"samples": 1000, "metrics": {"loss": \#(value)}}"#
                        if let answer = try? await call(.put, path, own, body, by: liarsFetcher), answer.status < 500 {
                            #expect([status, 409].contains(answer.status), "\(value)")
                        }
                    }
                }
                if plan.phase == "collecting", !plan.answered, plan.selected {
                    let reason = #"{"reason": "I only lie"}"#
                    _ = try? await call(.put, "/rounds/\(plan.round)/decline", own, reason, by: liarsFetcher)
                }
            }
        }

        func revoke(_ name: String) async throws {
            let answer = try await call(.delete, "/clients/\(name)", EvaluationTests.admin)
            #expect(answer.status == 204)
        }

        func get<Body: Decodable>(_ type: Body.Type, _ path: String) async throws -> Body {
            try WireJSON.decode(type, from: Data(try await bytes(path)))
        }

        func bytes(_ path: String) async throws -> [UInt8] {
            let answer = try await call(.get, path, EvaluationTests.admin)
            try #require(answer.status == 200, "\(path): \(String(decoding: answer.body, as: UTF8.self))")
            return answer.body
        }

        /// The evaluation of a round once it has ended.
        func closedEvaluation(ofRound round: Int) async throws -> RoundBody.Evaluation {
            while true {
                let body = try await get(RoundBody.self, "/rounds/\(round)")
                if let evaluation = body.evaluation, evaluation.state == "closed" { return evaluation }
                _ = try await call(.get, "/rounds/current?after=\(body.revision)&wait=20", EvaluationTests.admin)
            }
        }

        private func call(
            _ method: FetchRequest.Method, _ path: String, _ token: String, _ body: String? = nil,
            by other: HTTPFetcher? = nil
        ) async throws -> FetchResponse {
            try await (other ?? fetcher).fetch(
                FetchRequest(
                    method, "http://127.0.0.1:\(port)/v1/federations/f\(path)",
                    fields: [HTTPField("Authorization", "Bearer \(token)")],
                    body: body.map { .bytes(Array($0.utf8)) } ?? .none))
        }
    }
}
