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
}
