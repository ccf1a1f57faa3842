import ClientAgent
import HTTPFetching
import RankwiseWire
import ServerCalls
import Synchronization
import TestStage
import Testing

/// A walk against a peer whose answers are scripted: what is current, and whether the federation is finished.
struct EndedRoundsTests {
    private struct Moment: Sendable {
        var round: Int
        var phase: String
        var finished = false
        /// Whether a proxy answers the poll, because it would not wait any longer.
        var isCutShort = false
    }

    /// Each poll moves on to the next moment.
    private func walk(_ moments: [Moment], _ body: (inout EndedRounds) async throws -> Void) async throws {
        let now = Mutex(-1)
        let peer = try LoopbackPeer { connection in
            while let request = connection.request() {
                let last = request.path.split(separator: "/").last.map(String.init) ?? ""
                let moment = now.withLock { now in
                    if last == "current", now < moments.count - 1 { now += 1 }
                    return moments[max(now, 0)]
                }
                if last == "current", moment.isCutShort {
                    connection.answer("504 Gateway Time-out", ["Content-Type: text/html"], body: Array("<html>".utf8))
                    continue
                }
                let state = moment.finished ? "finished" : "running"
                let text =
                    switch last {
                    case "digits": Self.federation(state: state)
                    case "current": Self.round(moment.round, moment.phase)
                    default: Self.round(Int(last) ?? 0, "published")
                    }
                connection.answer("200 OK", body: Array(text.utf8))
            }
        }
        defer { peer.stop() }
        var walk = EndedRounds(
            FederationEndpoint(server: peer.url, federation: "digits", token: nil, fetcher: try HTTPFetcher()))
        try await body(&walk)
    }

    @Test func `a proxy that would not wait any longer is no news, and polls get shorter down to five seconds`()
        async throws
    {
        let cut = Moment(round: 1, phase: "collecting", isCutShort: true)
        let before = Moment(round: 1, phase: "collecting")
        let after = Moment(round: 1, phase: "published", finished: true)
        #expect(try await all([before, cut, cut, after]) == [1])
        // 25, 12.5, 6.25 and 5 seconds: a way that cuts those is broken.
        await #expect(throws: CallError.self) { try await all([before, cut, cut, cut, cut, after]) }
        await #expect(throws: CallError.self) { try await all([cut, before, after]) }
    }

    static func federation(state: String) -> String {
        #"""
        {"id":"digits","state":"\#(state)","round":1,"revision":1,"clients":1,"created_at":"now","settings":
         {"id":"digits","base_model":{"name":"m"},"adapter":{"max_rank":1,"modules":{}}}}
        """#
    }

    static func round(_ number: Int, _ phase: String) -> String {
        #"""
        {"federation":"digits","round":\#(number),"phase":"\#(phase)","revision":\#(number),"strategy":"rbla",
         "selected":1,"received":1,"refused":0,"min_updates":1,"updates":[],"refusals":[],"metrics":{}}
        """#
    }

    private func all(_ moments: [Moment]) async throws -> [Int] {
        var rounds: [Int] = []
        try await walk(moments) { walk in
            while let round = try await walk.next() { rounds.append(round.round) }
        }
        return rounds
    }

    @Test func `rounds that ended between two answers are walked too`() async throws {
        let rounds = try await all([
            Moment(round: 0, phase: "waiting"), Moment(round: 1, phase: "collecting"),
            Moment(round: 5, phase: "collecting"), Moment(round: 7, phase: "published", finished: true),
        ])
        #expect(rounds == [1, 2, 3, 4, 5, 6, 7])
    }

    @Test func `a round that is published while it is looked at is told once`() async throws {
        let rounds = try await all([
            Moment(round: 1, phase: "published"), Moment(round: 1, phase: "published"),
            Moment(round: 2, phase: "aggregating", finished: true),
            Moment(round: 2, phase: "published", finished: true),
        ])
        #expect(rounds == [1, 2])
    }

    @Test func `a federation that was ended in mid-round ends the walk`() async throws {
        let rounds = try await all([
            Moment(round: 2, phase: "collecting"), Moment(round: 2, phase: "collecting", finished: true),
        ])
        #expect(rounds == [1])
    }
}
