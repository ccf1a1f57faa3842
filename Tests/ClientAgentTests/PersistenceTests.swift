import ClientAgent
import HTTPFetching
import RankwiseWire
import ServerCalls
import Synchronization
import Testing

struct PersistenceTests {
    private let lost = CallError.unreached(.interrupted("gone"))
    private let no = CallError.refused(Problem(title: "No", status: 422, code: "no", detail: "no"))

    /// Fails with each of `failures`, then answers whether it was told of them.
    private func tries(
        _ failures: [CallError], limit: Duration, clock: StepClock = StepClock()
    ) async throws(CallError) -> (count: Int, wasRetry: Bool) {
        var generator = SeededGenerator(state: 1)
        var count = 0
        let wasRetry = try await Persistence(limit: limit, clock: clock).answer(using: &generator) {
            (isRetry) async throws(CallError) in
            count += 1
            if count <= failures.count { throw failures[count - 1] }
            return isRetry
        }
        return (count, wasRetry)
    }

    @Test func `a call that succeeds is made once`() async throws {
        let (count, wasRetry) = try await tries([], limit: .seconds(60))
        #expect(count == 1)
        #expect(!wasRetry)
    }

    @Test func `a call is repeated until it is answered, and knows it`() async throws {
        let (count, wasRetry) = try await tries([lost, lost, lost], limit: .seconds(60))
        #expect(count == 4)
        #expect(wasRetry)
    }

    @Test func `no persistence is one try`() async {
        let clock = StepClock()
        await #expect(throws: lost) { try await tries([lost], limit: .zero, clock: clock) }
        #expect(clock.sleeps.withLock { $0 } == [])
    }

    @Test func `a refusal is final`() async {
        let clock = StepClock()
        await #expect(throws: no) { try await tries([lost, no, lost], limit: .seconds(60), clock: clock) }
        #expect(clock.sleeps.withLock { $0.count } == 1)
    }

    @Test func `the last try falls on the limit`() async {
        let clock = StepClock()
        await #expect(throws: lost) {
            try await tries(Array(repeating: lost, count: 1000), limit: .seconds(100), clock: clock)
        }
        #expect(clock.now == .seconds(100))
    }

    @Test func `what the server asks for goes before the back-off`() async throws {
        let clock = StepClock()
        let busy = CallError.unavailable(
            Problem(title: "Busy", status: 503, code: "busy", detail: ""), retryAfter: .seconds(40))
        _ = try await tries([busy], limit: .seconds(60), clock: clock)
        #expect(clock.sleeps.withLock { $0 } == [.seconds(40)])
    }
}
