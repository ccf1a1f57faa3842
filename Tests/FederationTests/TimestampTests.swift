import Federation
import Testing

@Suite struct InstantTests {
    private let start = Timestamp(milliseconds: 1000)

    @Test func `seconds are added to the millisecond`() {
        #expect(start.adding(seconds: 1.5) == Timestamp(milliseconds: 2500))
        #expect(start.adding(seconds: -0.9996) == Timestamp(milliseconds: 0))
        #expect(start.adding(seconds: 1.5).seconds(since: start) == 1.5)
        #expect(start < start.adding(seconds: 0.001))
    }

    @Test(arguments: [Double.infinity, .greatestFiniteMagnitude, .nan, 1e17])
    func `a time beyond all times is far away and does not trap`(_ seconds: Double) {
        #expect(start.adding(seconds: seconds) > start.adding(seconds: 1e12))
        #expect(Timestamp(milliseconds: .max).adding(seconds: 1) == Timestamp(milliseconds: .max))
    }
}
