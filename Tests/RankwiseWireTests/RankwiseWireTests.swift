import Foundation
import Testing

@testable import RankwiseWire

@Suite struct RankwiseWireTests {
    @Test func `a plan of an older server lacks what newer ones ask for`() throws {
        let text = #"""
            {"federation":"f","round":2,"phase":"collecting","state":"running","revision":1,"client":"c","selected":true,
             "answered":false,"deadline_at":null,"rank":4,"ranks":{},"scales":{},"adapter":null,
             "merge":{"round":1,"href":"/m"},"reinitialise":false,"seed":1,"train":["A"],"send":["A"],"penalty":0,
             "training":{},"update":"/u"}
            """#
        var plan = try WireJSON.decode(PlanBody.self, from: Data(text.utf8))
        #expect(plan.merge == PlanBody.Merge(round: 1, since: 0, href: "/m"))
        #expect(plan.pruning == nil && plan.messageBits == nil && plan.stage == nil)
        plan.pruning = PlanBody.Pruning(gamma: 0.99, penalty: 0.001, minRank: 1)
        plan.stage = PlanBody.Stage(name: "sparse", density: 0.01, seed: 18_446_744_073_709_551_615)
        plan.messageBits = 4
        #expect(try WireJSON.decode(PlanBody.self, from: WireJSON.encode(plan)) == plan)
    }

    @Test func `an unknown key in a request is refused by name`() {
        let text = #"{"rank": 4, "token": "t", "colour": "red"}"#
        let error = #expect(throws: WireError.self) {
            try WireJSON.decodeStrictly(RegistrationBody.self, from: Data(text.utf8))
        }
        #expect(error?.path == "colour")
        #expect(throws: Never.self) { try WireJSON.decode(RegistrationBody.self, from: Data(text.utf8)) }
    }
}
