import ClientAgent
import ServerCalls
import Testing

struct BackoffTests {
    @Test func `waits grow to the longest and never beyond`() {
        var backoff = Backoff(first: .seconds(1), longest: .seconds(60))
        var generator = SeededGenerator(state: 3)
        for failure in 0..<100 {
            let wait = backoff.next(using: &generator)
            #expect(wait >= .zero)
            #expect(wait <= min(.seconds(60), .seconds(1 << min(failure, 10))))
        }
    }

    @Test func `jitter is full: clients spread over the whole wait`() {
        let waits = (0..<1000).map { seed in
            var backoff = Backoff(first: .seconds(8), longest: .seconds(60))
            var generator = SeededGenerator(state: UInt64(seed) &* 0x9E37_79B9_7F4A_7C15)
            return backoff.next(using: &generator)
        }
        #expect(waits.count { $0 < .seconds(4) } > 400)
        #expect(waits.count { $0 < .seconds(4) } < 600)
    }

    @Test func `equal seeds give equal waits`() {
        var (first, second) = (Backoff(), Backoff())
        var (one, other) = (SeededGenerator(state: 5), SeededGenerator(state: 5))
        for _ in 0..<10 { #expect(first.next(using: &one) == second.next(using: &other)) }
    }

    @Test func `success starts over`() {
        var backoff = Backoff(first: .seconds(1), longest: .seconds(60))
        var generator = SeededGenerator(state: 1)
        for _ in 0..<10 { _ = backoff.next(using: &generator) }
        backoff.reset()
        #expect(backoff.next(using: &generator) <= .seconds(1))
    }
}
