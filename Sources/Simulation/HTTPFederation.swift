import ClientAgent
import Dispatch
import Foundation
import HTTPFetching
import RankwiseWire
import Training

/// A federation over loopback: the whole server in this process, and a real agent for every client.
///
/// Agents share a few connections, and as many train at a time as there are threads. This process tells them that a
/// round has begun, in place of long polls: it has too few threads to block one for each of a thousand clients.
package struct HTTPFederation: Sendable {
    private static let connections = 16

    private let document: SimulationDocument
    private let cohort: SimulatedCohort

    package init(_ document: SimulationDocument, cohort: SimulatedCohort) {
        var document = document
        // Training starts only when all clients are registered, so that every run draws the same clients.
        let clients = cohort.clients.count
        document.federation.round.minClients = max(clients, document.federation.round.minClients)
        document.federation.limits.maxClients = max(clients, document.federation.limits.maxClients)
        self.document = document
        self.cohort = cohort
    }

    /// Runs every round.
    ///
    /// - Parameter observe: gets each update that the server has accepted, and the rounds in their order.
    package func play(observe: @escaping @Sendable (SimulationRun.Event) -> Void) async throws(SimulationError) {
        guard document.federation.evaluation?.patience == nil else {
            throw .settings(
                path: "evaluation.patience", reason: "ends a run early; a simulation plays all of its rounds")
        }
        let scratch = try ScratchFolder()
        do {
            let server = try await LoopbackServer(
                folder: scratch.path + "/server", threads: document.simulation.threads)
            do {
                try await play(on: server, folder: scratch.path, observe: observe)
            } catch {
                await server.stop()
                throw error
            }
            await server.stop()
        } catch let error as SimulationError {
            throw error
        } catch {
            throw .network("\(error)")
        }
    }

    private func play(
        on server: LoopbackServer, folder: String, observe: @escaping @Sendable (SimulationRun.Event) -> Void
    ) async throws {
        let tokens = try await create(on: server)
        let (bell, meter, gate) = (
            RoundSignal(), SimulatedLine.Meter(), AsyncSemaphore(width: document.simulation.threads)
        )
        let pool = try FetcherPool(count: Self.connections)
        let (watch, walk) = (
            try reader(of: server, token: tokens.readerToken), try reader(of: server, token: tokens.readerToken)
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in cohort.clients {
                group.addTask {
                    let line = SimulatedLine(pool: pool, bell: bell, meter: meter)
                    try await self.run(
                        client, on: server, enrolment: tokens.enrolmentToken, folder: folder, line: line, gate: gate,
                        observe: observe)
                }
            }
            group.addTask { try await self.ring(bell, asMoves: watch) }
            group.addTask {
                try await self.record(walk, meter: meter, folder: folder, observe: observe)
                bell.ring()
            }
            // The first failure cancels all others; otherwise agents would keep waiting for the failed one.
            for try await _ in group {}
        }
    }

    private func create(on server: LoopbackServer) async throws -> CreatedFederationBody {
        let body = Array(try WireJSON.encode(document.federation))
        let response = try await HTTPFetcher().fetch(
            FetchRequest(
                .post, server.url + "/v1/federations",
                fields: [
                    HTTPField("Authorization", "Bearer \(server.admin)"), HTTPField("Content-Type", "application/json"),
                ], body: .bytes(body)))
        guard response.status == 201 else {
            let problem = try WireJSON.decode(Problem.self, from: Data(response.body))
            throw SimulationError.settings(path: "", reason: problem.detail)
        }
        return try WireJSON.decode(CreatedFederationBody.self, from: Data(response.body))
    }

    private func reader(of server: LoopbackServer, token: String) throws -> FederationEndpoint {
        FederationEndpoint(
            server: server.url, federation: document.federation.id, token: token, fetcher: try HTTPFetcher())
    }

    /// Runs one client until the federation ends.
    private func run(
        _ client: SimulatedClient, on server: LoopbackServer, enrolment: String, folder: String, line: SimulatedLine,
        gate: AsyncSemaphore, observe: @escaping @Sendable (SimulationRun.Event) -> Void
    ) async throws(SimulationError) {
        let isShared = document.simulation.threads > 1
        do {
            let agent = try Agent(
                Agent.Configuration(
                    server: server.url, federation: document.federation.id, client: client.name, rank: client.rank,
                    enrolmentToken: enrolment, evaluates: true, trainingCheck: nil),
                state: try StateFolder("\(folder)/clients/\(client.name)"), fetcher: line,
                observe: { event in
                    guard case .accepted(let round, let received) = event else { return }
                    observe(.trained(received, of: self.cohort.clients.count, round: round))
                },
                makeTrainer: { (_) throws(TrainingError) in
                    GatedTrainer(trainer: NativeTrainer(isShared ? client.task.onOneThread : client.task), gate: gate)
                })
            _ = try await agent.run()
        } catch {
            throw .training(client: client.name, reason: "\(error)")
        }
    }

    /// Signals whenever a round opens, closes or is published, until the last one.
    private func ring(_ bell: RoundSignal, asMoves endpoint: FederationEndpoint) async throws {
        var (revision, last): (Int64?, String) = (nil, "")
        while true {
            let news = try await endpoint.currentRound(after: revision, wait: .seconds(20))
            guard let round = news else { continue }
            revision = round.revision
            let stand = "\(round.round) \(round.phase)"
            if stand != last { bell.ring() }
            last = stand

            if round.hasEnded, round.round >= document.federation.round.total { return }
        }
    }

    /// Scores every round once it is published.
    private func record(
        _ endpoint: FederationEndpoint, meter: SimulatedLine.Meter, folder: String,
        observe: @Sendable (SimulationRun.Event) -> Void
    ) async throws {
        let scorer = RoundScorer(settings: document.federation, examples: cohort.heldOut, folder: folder)
        let queue = DispatchQueue(label: "rankwise.simulation")
        var walk = EndedRounds(endpoint)
        var start = ContinuousClock.now
        while let round = try await walk.next() {
            let end = ContinuousClock.now
            guard round.phase == "published" else {
                throw SimulationError.aggregation(round: round.round, reason: round.reason ?? "it failed")
            }
            try await scorer.download(round.round, from: endpoint)
            let result: Result<Evaluation, any Error> = await queue.result { try scorer.evaluation() }
            let evaluation = try result.get()
            let accepted = round.updates.filter { $0.status == "accepted" }
            observe(
                .finished(
                    RoundRecord(
                        round: round.round, clients: accepted.count, testAccuracy: evaluation.accuracy,
                        testLoss: evaluation.loss, trainLoss: round.metrics.loss ?? 0,
                        bytesDown: meter.bytes(ofRound: round.round - 1),
                        bytesUp: accepted.reduce(0) { $0 + $1.bytes }, seconds: start.duration(to: end) / .seconds(1))))
            start = end
        }
    }
}
