import Federation
import Foundation
import Testing

/// Clients that are regions, and the federation of a region.
@Suite struct RegionTests {
    private static func exact(_ adjust: (inout FederationSettings) -> Void = { _ in }) throws -> MachineUnderTest {
        try MachineUnderTest {
            $0.strategy.sum = .exact
            adjust(&$0)
        }
    }

    private static func region(
        _ name: String, _ claim: String, token: UInt8 = 1, enrolment: String? = nil
    ) throws -> FederationMachine.Event<FederationMachine.Registration, RegistrationError> {
        .register(
            name: try ClientName(name), rank: 8, token: try .repeating(token),
            capabilities: Capabilities(text: "{\"region\": \(claim)}") {
                try JSONDecoder().decode(Capabilities.Claims.self, from: Data($0.utf8))
            }, enrolment: enrolment)
    }

    @Test func `a region takes the places of all its clients`() throws {
        var subject = try Self.exact()
        #expect(try subject.apply(Self.region("north", #"{"clients": 3}"#))[0].registration?.isNew == true)
        #expect(
            try subject.apply(Self.region("south", #"{"clients": 3}"#))[0].registrationError == .full(limit: 5))
        #expect(try subject.register("a", "b").compactMap(\.registration).count == 2)
        #expect(try subject.register("c")[0].registrationError == .full(limit: 5))
    }

    @Test(arguments: [#"{"clients": 0}"#, #"{"clients": 6}"#, "{}", "true", #""yes""#])
    func `a region of no sound number of clients is refused`(_ claim: String) throws {
        var subject = try Self.exact()
        let error = try subject.apply(Self.region("north", claim))[0].registrationError
        #expect(
            error
                == .region(
                    reason: "capabilities.region.clients is no number from 1 to 5, the federation's max_clients"))
        #expect(subject.machine.clients.isEmpty)
    }

    @Test func `a federation whose sums depend on their order has no regions`() throws {
        var float = try MachineUnderTest()
        let error = try float.apply(Self.region("north", #"{"clients": 3}"#))[0].registrationError
        #expect(
            error == .region(reason: "strategy.sum is float; regions need a federation with exact"))
        var moved = try Self.exact { $0.server = .init(optimizer: "adam") }
        guard case .region = try moved.apply(Self.region("north", #"{"clients": 3}"#))[0].registrationError else {
            Issue.record("a region was taken beside a server's optimizer")
            return
        }
    }

    @Test func `a federation that evaluates has no regions`() throws {
        var subject = try Self.exact { $0.evaluation = EvaluationPolicy() }
        guard
            case .region(let reason) = try subject.apply(Self.region("north", #"{"clients": 3}"#))[0].registrationError
        else {
            Issue.record("a region was taken whose clients would not be asked")
            return
        }
        #expect(reason.contains("evaluation"))
        #expect(try subject.register("a").compactMap(\.registration).count == 1)
    }

    @Test func `only a token for regions registers regions, and it registers nothing else`() throws {
        var subject = try Self.exact()
        for (id, role) in [("e", IssuedToken.Role.enrolment), ("r", .region), ("x", .reader)] {
            try subject.apply(
                .issue(IssuedToken(id: id, role: role, hash: try .repeating(50), createdAt: subject.now)))
        }
        let claim = #"{"clients": 2}"#
        let refused = try subject.apply(Self.region("north", claim, enrolment: "e"))[0].registrationError
        #expect(refused == .region(reason: "the token registers clients alone; expected one of the role region"))
        #expect(try subject.apply(Self.region("north", claim, enrolment: "x"))[0].registrationError != nil)
        #expect(try subject.apply(Self.region("north", claim, enrolment: "r"))[0].registration?.isNew == true)
        let client = FederationMachine.Event.register(
            name: try ClientName("a"), rank: 8, token: try .repeating(3), capabilities: .none, enrolment: "r")
        #expect(
            try subject.apply(client)[0].registrationError
                == .region(reason: "the token registers regions alone; expected capabilities.region"))
    }

    @Test func `a client does not become a region, nor a region a larger one`() throws {
        var subject = try Self.exact()
        try subject.register("a")
        try subject.apply(Self.region("north", #"{"clients": 2}"#, token: 2))
        let reason = "and of how many clients, cannot change any more"
        #expect(
            try subject.apply(Self.region("a", #"{"clients": 2}"#))[0].registrationError
                == .region(reason: "whether a is a region, \(reason)"))
        #expect(
            try subject.apply(Self.region("north", #"{"clients": 3}"#, token: 2))[0].registrationError
                == .region(reason: "whether north is a region, \(reason)"))
        #expect(try subject.apply(Self.region("north", #"{"clients": 2}"#, token: 2))[0].registration?.isNew == false)
    }

    // MARK: A region's own federation

    private static func upstream() throws -> MachineUnderTest {
        try exact {
            $0.upstream = .init(mostUpdates: 100)
            $0.policy.minimumClients = 1
            $0.policy.minimumUpdates = 1
            $0.policy.onMissedQuorum = .extend
        }
    }

    @Test func `a region's round opens and ends with the root's`() throws {
        var subject = try Self.upstream()
        try subject.register("a", "b")
        #expect(subject.round == nil, "the root has opened none")
        let end = subject.now.adding(seconds: 50)
        try subject.apply(.openUpstream(4, until: end))
        #expect(subject.round?.number == 4)
        #expect(subject.round?.deadline == end)
        #expect(subject.participations == ["a": .awaited, "b": .awaited])
        try subject.apply(.openUpstream(5, until: end))
        #expect(subject.round?.number == 4, "it has not ended")
        try subject.send("a", "b", round: 4)
        #expect(subject.round?.phase == .aggregating)
        try subject.apply(.aggregation(of: 4))
        #expect(subject.machine.publishedRound == 4)
        #expect(subject.round?.number == 4, "the next one is the root's to open")
        try subject.apply(.openUpstream(4, until: end))
        #expect(subject.round?.phase == .published(try .sample()))
    }

    @Test func `a round that the root ends closes with the updates that it has`() throws {
        var subject = try Self.upstream()
        try subject.register("a", "b")
        try subject.apply(.openUpstream(1, until: subject.now.adding(seconds: 50)))
        try subject.send("a", round: 1)
        try subject.apply(.closeUpstream(2))
        #expect(subject.round?.phase == .collecting)
        try subject.apply(.closeUpstream(1))
        #expect(subject.round?.phase == .aggregating)
        #expect(subject.details("round.closed") == ["1 update; the root's round has ended"])
        #expect(try subject.send("b", round: 1)[0].count == nil)
    }

    @Test func `a round without the region is adopted, in step with the root's numbers`() throws {
        var subject = try Self.upstream()
        try subject.register("a")
        try subject.apply(.adoptUpstream(try .sample(), round: 3))
        #expect(subject.machine.publishedRound == 3)
        #expect(subject.round?.phase == .published(try .sample()))
        try subject.apply(.adoptUpstream(try .sample(), round: 2))
        #expect(subject.round?.number == 3)
        try subject.apply(.openUpstream(7, until: subject.now.adding(seconds: 50)))
        try subject.apply(.adoptUpstream(try .sample(), round: 8))
        #expect(subject.round?.number == 7, "it has not ended")
    }

    @Test func `a federation of its own takes no word of a root`() throws {
        var subject = try Self.exact()
        try subject.apply(.openUpstream(4, until: subject.now.adding(seconds: 50)))
        try subject.apply(.adoptUpstream(try .sample(), round: 3))
        #expect(subject.round == nil && subject.machine.publishedRound == 0)
        try subject.register("a", "b")
        try subject.apply(.closeUpstream(1))
        #expect(subject.round?.phase == .collecting)
    }
}
