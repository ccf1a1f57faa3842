import Foundation
import Testing

@testable import AdminProgram

struct LifetimeTests {
    @Test(arguments: [("90s", 90), ("30m", 1800), ("12h", 43_200), ("7d", 604_800), ("2w", 1_209_600)])
    func `a lifetime is a number and its unit`(text: String, seconds: Int) throws {
        #expect(try #require(Lifetime(argument: text)).seconds == seconds)
    }

    @Test(arguments: ["", "7", "d", "0d", "-1d", "7 d", "1y", "600w", "99999999999999999999s"])
    func `anything else is none`(text: String) {
        #expect(Lifetime(argument: text) == nil)
    }

    @Test func `its end is a time as RFC 3339 has it`() throws {
        let lifetime = try #require(Lifetime(argument: "1d"))
        #expect(lifetime.end(after: Date(timeIntervalSince1970: 0)) == "1970-01-02T00:00:00Z")
    }
}
