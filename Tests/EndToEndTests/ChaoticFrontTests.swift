import ClientAgent
import Foundation
import HTTPFetching
import RankwiseWire
import ServerCalls
import TestStage
import Testing
import Training
import TrainingData

/// Agents and the built server, with something between them that does as it likes.
@Suite(.ownThread) struct ChaoticFrontTests {
    private static let admin = "an-admin-token-of-more-than-32-bytes"
    /// More of both with RANKWISE_FRONT_CLIENTS and RANKWISE_FRONT_ROUNDS.
    private static let clients = number("CLIENTS") ?? 5
    private static let rounds = number("ROUNDS") ?? 5
    private static let settings = """
        {"id": "f", "base_model": {"name": "mlp-2-4-2", "seed": 5},
         "adapter": {"max_rank": 2, "modules": {"fc1": {"in": 2, "out": 4}, "fc2": {"in": 4, "out": 2}}},
         "strategy": {"name": "flora"}, "training": {"epochs": 1},
         "round": {"total": \(rounds), "min_clients": \(clients), "min_updates": \(clients), "deadline_seconds": 86400,
                   "seen_seconds": 86400}}
        """

    private static func number(_ name: String) -> Int? {
        ProcessInfo.processInfo.environment["RANKWISE_FRONT_" + name].flatMap { Int($0) }
    }

    @Test(arguments: [1, 2])
    func `whatever stands between, nobody ends and every round is published`(seed: UInt64) async throws {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let server = try Program(
            "rankwise-server", ["serve", "--listen", "127.0.0.1:0", "--data", folder + "/data"],
            environment: ["RANKWISE_ADMIN_TOKEN": Self.admin])
        let url = try #require(server.firstLine().split(separator: " ").last.map(String.init))
        let fetcher = try HTTPFetcher()
        let fields = [HTTPField("Authorization", "Bearer \(Self.admin)")]
        let created = try await fetcher.fetch(
            FetchRequest(.post, url + "/v1/federations", fields: fields, body: .bytes(Array(Self.settings.utf8))))
        let token = try WireJSON.decode(CreatedFederationBody.self, from: Data(created.body)).enrolmentToken
        let port = try #require(url.split(separator: ":").last.flatMap { UInt16($0) })
        let front = try ChaoticFront(to: port, share: 0.4, seed: seed)
        defer { front.stop() }

        let outcomes = try await withThrowingTaskGroup(of: Agent.Outcome.self) { group in
            for number in 0..<Self.clients {
                group.addTask {
                    let agent = try Agent(
                        Agent.Configuration(
                            server: "http://127.0.0.1:\(front.port)", federation: "f", client: "edge-\(number)",
                            rank: 2,
                            enrolmentToken: token, pollWait: .seconds(1), trainingCheck: .seconds(1),
                            backoff: Backoff(first: .milliseconds(20), longest: .milliseconds(200)),
                            // Half of them send in parts.
                            resumableFrom: number % 2 == 0 ? 0 : .max),
                        state: StateFolder(folder + "/state-\(number)"), fetcher: HTTPFetcher(),
                        makeTrainer: { settings throws(TrainingError) in
                            let data = DataSet(width: 2, features: [1, 2, 3, 4], labels: [0, 1])
                            return try NativeTrainer(
                                ModelRegistry.model(named: settings.baseModel.name, seed: 5).task(data))
                        })
                    return try await agent.run()
                }
            }
            var outcomes: [Agent.Outcome] = []
            for try await outcome in group { outcomes.append(outcome) }
            return outcomes
        }
        #expect(outcomes == Array(repeating: .federationFinished, count: Self.clients))
        for number in 1...Self.rounds {
            let answer = try await fetcher.fetch(
                FetchRequest(.get, url + "/v1/federations/f/rounds/\(number)", fields: fields))
            let round = try WireJSON.decode(RoundBody.self, from: Data(answer.body))
            #expect(round.phase == "published")
            #expect(round.updates.map(\.client).sorted() == (0..<Self.clients).map { "edge-\($0)" }.sorted())
        }
        let counts = front.counts
        #expect(ChaoticFront.Mischief.allCases.allSatisfy { counts[$0] ?? 0 > 0 }, "\(counts), \(front.passed) passed")
        #expect(server.stop() == 0)
    }
}
