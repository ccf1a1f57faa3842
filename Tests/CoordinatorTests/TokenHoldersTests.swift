import Federation
import Testing

@testable import Coordinator

/// What is kept of those that call.
struct TokenHoldersTests {
    private let start = Timestamp(milliseconds: 1_700_000_000_000)
    private let pace = TokenBucket.Pace(perSecond: 1, seconds: 10)

    private func hash(_ number: Int) -> ContentDigest { Access.hash("\(number)") }

    @Test func `of many callers only those are remembered whose activity still counts`() throws {
        var holders = TokenHolders()
        let principal = Principal.client(try FederationID("digits"), try ClientName("edge"))
        for number in 0..<20_000 { holders[hash(number)] = .init(principal: principal) }
        #expect(holders.act(hash(20_000), at: start) { _ in true } == nil, "nobody holds it")
        for number in 0..<3000 {
            _ = holders.act(hash(number), at: start) { $0.requests.take(1, at: start, pace: pace) }
        }
        // One owes a long time, and one is still at work.
        _ = holders.act(hash(1), at: start) { $0.uploads.take(5000, at: start, pace: pace) }
        let number = holders.act(hash(2), at: start) { $0.underWay.begin(hasBody: true, upTo: (1, 1), end: {}) }
        let later = start.adding(seconds: 60)
        for number in 3000..<6000 {
            _ = holders.act(hash(number), at: later) { $0.requests.take(1, at: later, pace: pace) }
        }
        #expect(holders.activeCount < 3500)
        let wait = try #require(holders.act(hash(1), at: later) { $0.uploads.take(1, at: later, pace: pace) })
        #expect(wait > 4000)
        #expect(holders.act(hash(2), at: later) { $0.underWay.begin(hasBody: false, upTo: (1, 1), end: {}) } == nil)
        #expect(holders.ends(of: hash(2)).count == 1)
        _ = holders.act(hash(2), at: later) { $0.underWay.finish(number ?? 0) }
        #expect(holders.ends(of: hash(2)).isEmpty)
        #expect(holders[hash(19_999)]?.principal == principal, "and everybody's token stays valid")
    }
}
