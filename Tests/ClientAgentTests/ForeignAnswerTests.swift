import ClientAgent
import Foundation
import RankwiseWire
import Synchronization
import TestStage
import Testing
import Training

/// What an agent does about answers that something between it and its server gives.
struct ForeignAnswerTests {
    private var fixture: AgentFixture

    init() throws { fixture = try AgentFixture() }

    private static let page = Array("<html>default backend - 404</html>".utf8)

    /// Answers the first `count` requests that `isMeant` by a page.
    private func interfere(
        _ status: Int, first count: Int, fields: [String] = [],
        where isMeant: @escaping @Sendable (PeerRequest) -> Bool
    ) {
        let pages = Counter()
        fixture.script { request, _ in
            guard isMeant(request), pages.next() <= count else { return nil }
            return .init(status: status, fields: fields, body: status == 204 ? [] : Self.page)
        }
    }

    private static let places = [
        "/clients/edge-1", "/digits", "/plan", "/adapter", "/adapter_config.json", "/update",
    ]

    @Test(arguments: [200, 201, 204, 301, 302, 400, 401, 403, 404, 405, 410, 413, 421, 451, 500, 502], places)
    func `a page in place of any answer is waited out, and no round is missed`(status: Int, at place: String)
        async throws
    {
        interfere(status, first: 3) { $0.path.hasSuffix(place) }
        let reasons = ReasonList()
        let agent = try fixture.agent { event in
            if case .retrying(_, let reason, _) = event { reasons.add(reason) }
        }
        #expect(try await agent.run() == .federationFinished)
        #expect(fixture.trainer.rounds.withLock { $0 } == [1, 2, 3])
        #expect(fixture.stub.state.withLock { $0.uploads.map(\.round) } == [1, 2, 3])
        #expect(reasons.all.count == 3)
        #expect(reasons.all.allSatisfy { $0.contains("that is not Rankwise answered \(status)") }, "\(reasons.all)")
    }

    private static let bent =
        places.map { (404, "path.unknown", $0) }
        + [
            (405, "method.not_allowed", "/update"), (400, "request.malformed", "/plan"),
            (411, "request.length", "/clients/edge-1"), (417, "request.expectation", "/update"),
            (431, "request.header_too_large", "/digits"), (414, "request.uri_too_long", "/update"),
        ]

    @Test(arguments: bent)
    func `a request that comes to the server as another is sent again, and no round is missed`(
        status: Int, code: String, place: String
    ) async throws {
        let tries = Counter()
        fixture.script { request, _ in
            guard request.path.hasSuffix(place), tries.next() <= 3 else { return nil }
            return .problem(status, code)
        }
        let reasons = ReasonList()
        let agent = try fixture.agent { event in
            if case .retrying(_, let reason, _) = event { reasons.add(reason) }
        }
        #expect(try await agent.run() == .federationFinished)
        #expect(fixture.trainer.rounds.withLock { $0 } == [1, 2, 3])
        #expect(fixture.stub.state.withLock { $0.uploads.map(\.round) } == [1, 2, 3])
        #expect(reasons.all.count == 3)
        #expect(reasons.all.allSatisfy { $0.contains(code) }, "\(reasons.all)")
    }

    @Test func `an update that a proxy has no room for is kept over restarts, and said with its size`() async throws {
        interfere(413, first: .max, fields: ["Server: nginx/1.22.1"]) {
            $0.method == "PUT" && $0.path.hasSuffix("/update")
        }
        let error = try #require(
            await #expect(throws: AgentError.self) { try await fixture.agent(persistence: .seconds(5)).run() })
        let size = StubCoordinator.adapter(ofRound: "0").count + " trained 1".utf8.count
        #expect(
            "\(error)".contains(
                "/rounds/1/update that is not Rankwise (nginx/1.22.1) answered 413: \(size) B are more than it lets "
                    + "through in one request"), "\(error)")
        fixture.stub.state.withLock { $0.script = nil }
        #expect(try await fixture.agent().run() == .federationFinished)
        #expect(fixture.trainer.rounds.withLock { $0 } == [1, 2, 3])
        #expect(fixture.stub.state.withLock { $0.uploads.map(\.round) } == [1, 2, 3])
    }

    @Test func `an update that a proxy holds back until its round is over is missed, and the next round trained`()
        async throws
    {
        let tries = Counter()
        fixture.script { request, state in
            guard request.method == "PUT", request.path.hasSuffix("/1/update") else { return nil }
            if tries.next() == 3 { state.publish() }
            return .init(status: 413, body: Self.page)
        }
        #expect(try await fixture.agent().run() == .federationFinished)
        #expect(fixture.stub.state.withLock { $0.uploads.map(\.round) } == [2, 3])
        #expect(tries.count == 3)
    }

    @Test func `a proxy that gives up on polls gets shorter ones, and nobody is bothered`() async throws {
        let waits = Mutex<[String]>([])
        fixture.script { request, state in
            guard request.path.hasSuffix("/plan"), let wait = request.query["wait"] else { return nil }
            waits.withLock { $0.append(wait) }
            guard Int(wait) ?? 0 > 5 else { return nil }
            return .init(status: 504, body: Self.page)
        }
        let reasons = ReasonList()
        let agent = try fixture.agent { event in
            if case .retrying(_, let reason, _) = event { reasons.add(reason) }
        }
        #expect(try await agent.run() == .federationFinished)
        #expect(waits.withLock { $0 } == ["25", "12", "6", "5", "5", "5"])
        #expect(reasons.all == [])
    }

    @Test(arguments: [
        (#""round":1,"#, #""round":-9223372036854775808,"#), (#""round":1,"#, #""round":9223372036854775807,"#),
        (#""rank":4"#, #""rank":-9223372036854775808"#), (#""fc1":4"#, #""fc1":0"#),
        (#""adapter":{"round":0"#, #""adapter":{"round":-9223372036854775808"#),
        (#""merge":null"#, #""merge":{"round":-1,"since":0,"href":"/"}"#),
        (#""merge":null"#, #""merge":{"round":1,"since":9223372036854775807,"href":"/"}"#),
        (#""penalty":0"#, #""penalty":1e300"#), (#""scales":{"fc1":1.0}"#, #""scales":{"fc1":-1e308}"#),
        (#""federation":"digits""#, #""federation":"letters""#), (#"?rank=4&"#, #"?rank=4 \r\nX-Other: b&"#),
    ])
    func `a plan that nobody can follow is no plan`(sound: String, odd: String) async throws {
        let polls = Counter()
        fixture.script { request, state in
            guard request.path.hasSuffix("/plan"), polls.next() == 1 else { return nil }
            let plan = StubCoordinator.plan("edge-1", state)
            #expect(plan.contains(sound))
            return .json(200, plan.replacing(sound, with: odd))
        }
        #expect(try await fixture.agent().run() == .federationFinished)
        #expect(fixture.trainer.rounds.withLock { $0 } == [1, 2, 3])
        #expect(fixture.clock.sleeps.withLock { $0.count } == 1)
    }

    @Test func `plans whose files are not to be had are followed ever more slowly`() async throws {
        fixture.stub.state.withLock { $0.total = 100 }
        fixture.script { request, state in
            guard request.path.hasSuffix("/adapter"), state.round < 30 else { return nil }
            state.publish()
            return .problem(404, "adapter.unknown")
        }
        #expect(try await fixture.agent(rounds: 1).run() == .trained(rounds: 1))
        let sleeps = fixture.clock.sleeps.withLock { $0 }
        #expect(sleeps.count == 29)
        #expect(sleeps.reduce(.zero, +) > .seconds(300))
    }

    @Test func `a round that is asked for again and again is begun ever more slowly`() async throws {
        var fixture = fixture
        fixture.trainer = CountingTrainer(failure: .abstained(reason: "abstains"))
        let declines = Counter()
        fixture.script { request, state in
            guard request.path.hasSuffix("/decline") else { return nil }
            state.revision += 1
            if declines.next() == 20 { state.round = state.total + 1 }
            return .init(status: 204)
        }
        #expect(try await fixture.agent().run() == .federationFinished)
        let sleeps = fixture.clock.sleeps.withLock { $0 }
        #expect(sleeps.count == 19)
        #expect(sleeps.reduce(.zero, +) > .seconds(100))
    }

    @Test func `what an agent tells is printed without control characters`() async throws {
        let polls = Counter()
        let told = ReasonList()
        fixture.script { request, state in
            guard request.path.hasSuffix("/plan"), polls.next() == 1 else { return nil }
            let plan = StubCoordinator.plan("edge-1", state)
            state.revision += 1
            return .json(200, plan.replacing(#""phase":"collecting""#, with: #""phase":"\u001b[2J\u0007\n\u009b31m""#))
        }
        _ = try await fixture.agent(rounds: 1) { told.add("\($0)") }.run()
        #expect(told.all.contains { $0.hasPrefix("waiting: round 1 is  [2J") })
        #expect(told.all.joined().unicodeScalars.allSatisfy { $0.properties.generalCategory != .control })
        let error = AgentError.trainingFailed("\u{1B}]0;title\u{7}")
        #expect("\(error)" == "training failed:  ]0;title ")
    }
}
