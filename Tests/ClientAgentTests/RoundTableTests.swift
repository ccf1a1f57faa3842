import ClientAgent
import Foundation
import RankwiseWire
import ServerCalls
import Testing

struct RoundTableTests {
    @Test func `a table shows the round, its updates and its refusals`() throws {
        let federation = try WireJSON.decode(
            FederationBody.self, from: Data(EndedRoundsTests.federation(state: "running").utf8))
        var round = try WireJSON.decode(RoundBody.self, from: Data(EndedRoundsTests.round(3, "collecting").utf8))
        round.updates = [
            RoundBody.Update(
                client: "edge-07", status: "accepted", reason: nil, rank: 42, samples: 151, digest: "sha256:0",
                bytes: 163_840, receivedAt: "10:00", metrics: RoundBody.Metrics(loss: 0.41, accuracy: nil))
        ]
        round.refusals = [
            RoundBody.Refusal(client: "edge-02", at: "10:01", code: "update.shape", detail: "bad\u{1B}[2J")
        ]
        let lines = "\(RoundTable(federation, round))".split(separator: "\n").map(String.init)
        #expect(lines[0] == "federation  digits, running, clients: 1")
        #expect(lines[1] == "round       3 of 20, collecting, rbla")
        #expect(lines[2] == "updates     1 selected, 1 received, 0 refused, at least 1 needed")
        #expect(lines[3] == "CLIENT   RANK  SAMPLES  LOSS  ACCURACY  SIZE       RECEIVED  STATUS")
        #expect(lines[4] == "edge-07  42    151      0.41  –         160.0 KiB  10:00     accepted")
        #expect(lines[6] == "edge-02  10:01  update.shape  bad [2J")
    }

    @Test func `a table shows what clients found, by rank where they have several`() throws {
        var federation = try WireJSON.decode(
            FederationBody.self, from: Data(EndedRoundsTests.federation(state: "running").utf8))
        federation.evaluation = .init(
            best: .init(round: 2, metric: "accuracy", value: 0.75), roundsWithoutImprovement: 1, learningRate: 1,
            stoppedFor: nil)
        var round = try WireJSON.decode(RoundBody.self, from: Data(EndedRoundsTests.round(3, "published").utf8))
        let metric = RoundBody.Evaluation.Metric(
            clients: 3, mean: 0.7, median: 0.75, worstDecile: 0.5,
            byRank: [
                "16": .init(clients: 1, samples: 9, mean: 0.8, worst: 0.8),
                "4": .init(clients: 2, samples: 9, mean: 0.6, worst: 0.5),
            ])
        round.evaluation = .init(
            state: "closed", openedAt: "9:59", deadlineAt: "10:01", closedAt: "10:00", selected: 5, received: 3,
            withoutData: 1, refused: 1, samples: 18, metrics: ["accuracy": metric])
        let lines = "\(RoundTable(federation, round))".split(separator: "\n").map(String.init)
        #expect(lines.contains("evaluation  closed 10:00, 5 asked, 3 answered, 1 without data, 1 refused"))
        #expect(lines.contains("best        round 2, accuracy 0.75"))
        #expect(
            lines.suffix(4) == [
                "EVALUATED  CLIENTS  MEAN  MEDIAN  WORST TENTH", "accuracy   3        0.7   0.75    0.5",
                "  rank 4   2        0.6   –       0.5", "  rank 16  1        0.8   –       0.8",
            ])
    }
}
