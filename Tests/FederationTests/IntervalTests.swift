import Federation
import Testing

@Suite struct IntervalTests {
    @Test(arguments: [true, false])
    func `something is due once in so many seconds, and at once where it begins so`(beginsAtOnce: Bool) {
        let interval = Interval(seconds: 60, beginsAtOnce: beginsAtOnce)
        let start = Timestamp(milliseconds: 1_000_000)
        #expect(interval.isDue(at: start) == beginsAtOnce)
        #expect(!interval.isDue(at: start.adding(seconds: 59)))
        #expect(interval.isDue(at: start.adding(seconds: 60)))
        #expect(!interval.isDue(at: start.adding(seconds: 61)))
        #expect(interval.isDue(at: start.adding(seconds: 20)), "a clock that went back holds nothing up")
    }
}
