import Foundation
import HTTPFetching
import RankwiseWire
import Testing

/// What an operator sees of a round's decisions, and sets of its policy, over real sockets.
@Suite struct PolicyTests {
    private func problem(_ answer: FetchResponse) throws -> Problem {
        try WireJSON.decode(Problem.self, from: Data(answer.body))
    }

    private func current(_ subject: TrainedFederation) async throws -> RoundBody {
        try await subject.reader.get(RoundBody.self, TrainedFederation.path + "/rounds/current")
    }

    @Test func `a round tells whom it waits for, what was refused how often, and what was decided`() async throws {
        let subject = try await TrainedFederation(
            strategy: #"{"name": "rbla"}"#, more: #", "limits": {"max_norm": 0.001}"#, ranks: ["a": 4, "b": 2])
        let plan = try await subject.plan(of: "a")
        let update = try await subject.update(of: "a", plan)
        for _ in 0..<3 {
            let answer = try await subject.send(update, of: "a", plan)
            #expect(answer.status == 422)
            let problem = try problem(answer)
            #expect(problem.code == "update.norm")
            #expect(problem.detail.hasPrefix("the update's norm is "))
            #expect(problem.detail.hasSuffix("this federation takes at most 0.001"))
        }
        let round = try await current(subject)
        #expect(round.awaited == ["a", "b"])
        #expect(round.refused == 1)
        #expect(round.refusals.map(\.count) == [3])
        #expect(round.decisions.map(\.kind) == ["round.opened"])
        #expect(round.decisions.map(\.reason) == ["2 of 2 clients selected"])
        let path = TrainedFederation.path + "/events?limit=1000"
        let events = try await subject.admin.get([String: [EventBody]].self, path)["events"] ?? []
        #expect(events.count { $0.kind == "update.refused" } == 1)
        _ = try await subject.admin.call(.patch, TrainedFederation.path, body: #"{"state": "finished"}"#)
        let after = try await subject.admin.get([String: [EventBody]].self, path)["events"] ?? []
        #expect(after.suffix(3).map(\.kind) == ["round.failed", "round.refusals", "federation.finished"])
        #expect(try await current(subject).decisions.last?.reason == "the federation was finished")
        try await subject.stop()
    }

    @Test func `a cohort's outlier is left out with its reason, and what it sent stays on record`() async throws {
        let subject = try await TrainedFederation(
            strategy: #"{"name": "rbla"}"#, more: #", "limits": {"max_norm_over_median": 1}"#, rounds: 2,
            ranks: ["a": 4, "b": 4, "c": 4])
        try await subject.train()
        let round = try await subject.waitForEnd(of: 1)
        let norms = round.updates.compactMap(\.norm).sorted()
        #expect(norms.count == 3)
        let left = round.updates.filter { $0.status == "left_out" }
        #expect(left.map(\.norm) == [norms[2]])
        #expect(left.first?.reason?.contains("times the median of the round's updates, \(norms[1])") == true)
        #expect(round.received == 3)
        #expect(round.decisions.map(\.kind) == ["round.opened", "update.left_out", "round.closed", "round.published"])
        try await subject.stop()
    }

    @Test func `an asynchronous federation follows its plans`() async throws {
        let subject = try await TrainedFederation(
            strategy: #"{"name": "rbla"}"#, rounds: 9,
            policy: #""min_updates": 1, "buffer": 2, "max_staleness": 1"#, ranks: ["a": 4, "b": 4, "c": 2, "d": 2])
        let (slow, slower) = (try await subject.plan(of: "c"), try await subject.plan(of: "d"))
        let late = try await subject.update(of: "c", slow)
        let tooLate = try await subject.update(of: "d", slower)
        for number in 1...2 {
            for name in ["a", "b"] {
                let plan = try await subject.plan(of: name)
                #expect(plan.round == number && plan.selected && !plan.answered && plan.phase == "collecting")
                #expect(plan.adapter?.round == number - 1)
                #expect(try await subject.send(try await subject.update(of: name, plan), of: name, plan).status == 201)
                if number == 2, name == "a" {
                    #expect(try await subject.plan(of: "a").answered)
                    #expect(try await subject.send(late, of: "c", slow).status == 201)
                    break
                }
            }
            try await subject.waitForEnd(of: number)
        }
        let second = try await subject.waitForEnd(of: 2)
        #expect(second.buffer == 2)
        #expect(second.updates.map(\.client) == ["a", "c"])
        #expect(second.updates.map(\.staleness) == [0, 1])
        while try await current(subject).round < 3 {
            _ = try await subject.reader.call(.get, TrainedFederation.path + "/rounds/current?after=0&wait=1")
        }
        let refused = try await subject.send(tooLate, of: "d", slower)
        #expect(refused.status == 409)
        #expect(try problem(refused).code == "round.closed")
        #expect(try problem(refused).current == 3)
        let again = try await subject.send(late, of: "c", slow)
        #expect(again.status == 200, "an acknowledgement can be asked for again")
        try await subject.stop()
    }

    @Test func `policies are set, changed and refused by name`() async throws {
        let subject = try await TrainedFederation(
            strategy: #"{"name": "sa-fedlora"}"#,
            policy: #""selection": {"count": 2, "over": 0.5, "policy": "least_recent"}"#, ranks: ["a": 4])
        let found = try await subject.reader.get(FederationBody.self, TrainedFederation.path)
        #expect(found.settings.round.selection.policy == "least_recent")
        #expect(found.settings.round.buffer == nil)
        let cases: [(patch: String, status: Int, detail: String)] = [
            (#"{"selection": {"policy": "samples", "fraction": 0.5}}"#, 200, ""),
            (
                #"{"selection": {"policy": "loudest"}}"#, 422,
                "round.selection.policy is 'loudest'; expected one of uniform, samples, least_recent"
            ),
            (#"{"buffer": 2}"#, 422, "round.buffer is refused: sa-fedlora changes the adapter's shape between rounds"),
            (#"{"min_coverage": 1}"#, 422, "round.min_coverage is refused: sa-fedlora changes"),
            (#"{"max_staleness": 3}"#, 422, "round.max_staleness goes with round.buffer only"),
        ]
        for (patch, status, detail) in cases {
            let answer = try await subject.admin.call(.patch, TrainedFederation.path, body: #"{"round": \#(patch)}"#)
            #expect(answer.status == status)
            if status == 422 { #expect(try problem(answer).detail.hasPrefix(detail)) }
        }
        try await subject.stop()
    }
}
