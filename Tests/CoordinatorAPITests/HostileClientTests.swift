import AdapterFormat
import Foundation
import HTTPFetching
import RankwiseWire
import Testing

/// What one client can do to its federation, over real sockets.
@Suite struct HostileClientTests {
    private static let path = TrainedFederation.path

    private func problem(_ answer: FetchResponse) throws -> Problem {
        try WireJSON.decode(Problem.self, from: Data(answer.body))
    }

    @Test(arguments: ["loss=1e308", "loss=-1.1e12", "accuracy=1e13"])
    func `a metric that cannot be added up is refused, and the round stays readable`(_ metric: String) async throws {
        let subject = try await TrainedFederation(strategy: #"{"name": "rbla"}"#, ranks: ["a": 4, "b": 2])
        for name in ["a", "b"] {
            let plan = try await subject.plan(of: name)
            let update = try await subject.update(of: name, plan)
            let answer = try await subject.send(update, of: name, plan, query: "&\(metric)")
            #expect(answer.status == 422)
            #expect(try problem(answer).code == "update.metrics")
        }
        for page in ["/rounds/current", "/rounds/1", "/rounds?limit=5"] {
            #expect(try await subject.reader.call(.get, Self.path + page).status == 200)
        }
        let round = try await subject.reader.get(RoundBody.self, Self.path + "/rounds/1")
        #expect(round.refusals.map(\.code) == ["update.metrics", "update.metrics"])
        try await subject.stop()
    }

    @Test func `factors out of balance are left out, though their product is an honest one`() async throws {
        let subject = try await TrainedFederation(
            strategy: #"{"name": "rbla"}"#, rounds: 1, ranks: ["a": 4, "b": 2, "c": 4, "d": 3])
        var honest: [Float] = []
        for name in ["a", "b", "c", "d"] {
            let plan = try await subject.plan(of: name)
            let update = try await subject.update(of: name, plan, stretch: name == "c" ? 1e6 : 1)
            if name != "c" { honest += update.trained.values.flatMap { $0.a } }
            #expect(try await subject.send(update, of: name, plan).status == 201)
        }
        let round = try await subject.waitForEnd(of: 1)
        #expect(round.updates.filter { $0.status == "left_out" }.map(\.client) == ["c"])
        let reason = try #require(round.updates.first { $0.client == "c" }?.reason)
        #expect(reason.hasPrefix("update.balance: the root mean square of fc1.lora_A, "))
        let published = try await subject.adapter(Self.path + "/adapter")
        let largest = published.modules.flatMap { $0.a?.floats() ?? [] }.map(abs).max() ?? .infinity
        let largestHonest = try #require(honest.map(abs).max())
        #expect(largest <= largestHonest)
        try await subject.stop()
    }

    @Test func `null switches the test of factors off`() async throws {
        let off = try await TrainedFederation(
            strategy: #"{"name": "rbla"}"#, more: #", "limits": {"max_factor_over_median": null}"#, rounds: 1,
            ranks: ["a": 4, "b": 4, "c": 4])
        for name in ["a", "b", "c"] {
            let plan = try await off.plan(of: name)
            let update = try await off.update(of: name, plan, stretch: name == "c" ? 1e6 : 1)
            #expect(try await off.send(update, of: name, plan).status == 201)
        }
        #expect(try await off.waitForEnd(of: 1).updates.allSatisfy { $0.status == "accepted" })
        let settings = try await off.admin.get(FederationBody.self, Self.path).settings
        #expect(settings.limits.maxFactorOverMedian == nil)
        try await off.stop()
    }

    @Test func `the admin takes a revoked client's update back while the round collects`() async throws {
        let subject = try await TrainedFederation(
            strategy: #"{"name": "rbla"}"#, rounds: 1, policy: #""min_updates": 2, "min_clients": 3"#,
            ranks: ["a": 4, "b": 4, "c": 4])
        for name in ["a", "b"] {
            let plan = try await subject.plan(of: name)
            #expect(try await subject.send(try await subject.update(of: name, plan), of: name, plan).status == 201)
        }
        let update = Self.path + "/rounds/1/update"
        #expect(try await subject.admin.call(.delete, Self.path + "/clients/a").status == 204)
        #expect(try await subject.client("b").refusal(.delete, update + "?client=a") == "403 auth.role")
        #expect(try await subject.admin.refusal(.delete, update) == "400 request.argument")
        #expect(try await subject.admin.refusal(.delete, update + "?client=c") == "404 update.none")
        #expect(try await subject.admin.call(.delete, update + "?client=a").status == 204)
        let plan = try await subject.plan(of: "c")
        #expect(try await subject.send(try await subject.update(of: "c", plan), of: "c", plan).status == 201)
        let round = try await subject.waitForEnd(of: 1)
        #expect(round.updates.map(\.status) == ["taken_back", "accepted", "accepted"])
        #expect(round.decisions.map(\.kind).contains("update.taken_back"))
        #expect(try await subject.admin.refusal(.delete, update + "?client=b") == "409 round.closed")
        let events = try await subject.admin.get([String: [EventBody]].self, Self.path + "/events?limit=1000")
        #expect(events["events"]?.contains { $0.kind == "update.taken_back" && $0.client == "a" } == true)
        try await subject.stop()
    }

    @Test func `leaving and registering under the next name does not get past the limit of clients`() async throws {
        let subject = try await TrainedFederation(
            strategy: #"{"name": "rbla"}"#, more: #", "limits": {"max_clients": 3}"#, ranks: ["a": 4])
        var statuses: [Int] = []
        for index in 0..<6 {
            statuses.append(try await subject.register("n\(index)", rank: 1))
            if statuses[index] == 201 {
                let gone = try await subject.client("n\(index)").call(.delete, Self.path + "/clients/n\(index)")
                #expect(gone.status == 204)
            }
        }
        #expect(statuses == [201, 201, 409, 409, 409, 409])
        #expect(try await subject.admin.call(.delete, Self.path + "/clients/n0").status == 204)
        #expect(try await subject.register("n9", rank: 1) == 201)
        try await subject.stop()
    }
}
