import Interleavings
import Testing

/// A short form of `scripts/interleavings`.
@Suite struct InterleavingTests {
    /// So many schedules find every deliberate fault.
    private static let seeds: Range<UInt64> = 1..<201

    @Test func `schedules of several servers with faults break no invariant`() {
        let result = Campaign(seeds: Self.seeds).run()
        #expect(result.findings.map { "seed \($0.seed): \($0.violation)" } == [])
        #expect(result.schedules == Self.seeds.count)
        // Schedules in which nothing happens would find nothing.
        #expect(result.steps > 5 * result.schedules)
        for incident in Incident.allCases { #expect(result.incidents[incident] ?? 0 > 0, "\(incident.rawValue)") }
    }

    @Test(arguments: Mutant.allCases)
    func `a deliberate fault is found`(_ mutant: Mutant) {
        let campaign = Campaign(seeds: Self.seeds, mutant: mutant)
        let result = campaign.run(stoppingAtFirst: true)
        #expect(!result.findings.isEmpty, "\(mutant.rawValue) survives \(result.schedules) schedules")
    }

    @Test func `a seed replays its schedule, and the trace ends with what was broken`() throws {
        let campaign = Campaign(seeds: Self.seeds, mutant: .earlyCohort)
        let found = try #require(campaign.run(threads: 1, stoppingAtFirst: true).findings.first)
        let trace = campaign.trace(of: found.seed)
        #expect(trace == campaign.trace(of: found.seed))
        #expect(trace.first?.contains("seed \(found.seed)") == true)
        #expect(trace.last?.contains("VIOLATION: \(found.violation)") == true)
        #expect(Campaign(seeds: Self.seeds).trace(of: found.seed).last?.contains("ends well") == true)
    }
}
