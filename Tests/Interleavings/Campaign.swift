import Dispatch
import Synchronization

/// Many schedules, one after the other on each of several threads.
package struct Campaign: Sendable {
    private let seeds: Range<UInt64>
    private let mutant: Mutant?
    private let watched: Set<Invariant>

    package init(
        seeds: Range<UInt64>, mutant: Mutant? = nil, watching watched: Set<Invariant> = Set(Invariant.allCases)
    ) {
        self.seeds = seeds
        self.mutant = mutant
        self.watched = watched
    }

    /// A schedule that broke an invariant.
    package struct Finding: Sendable {
        package let seed: UInt64
        package let violation: Violation
    }

    package struct Result: Sendable {
        /// In ascending order of seed.
        package fileprivate(set) var findings: [Finding] = []
        package fileprivate(set) var schedules = 0
        package fileprivate(set) var steps = 0
        package fileprivate(set) var jobs = 0
        package fileprivate(set) var incidents: [Incident: Int] = [:]
        package fileprivate(set) var seconds = 0.0

        package var summary: String {
            let rate = seconds > 0 ? Int(Double(schedules) / seconds) : 0
            return "\(schedules) schedules with \(steps) stored steps and \(jobs) jobs in \(Int(seconds)) s, "
                + "\(rate) a second: \(findings.count) violations"
        }
    }

    package func run(threads: Int = 2, stoppingAtFirst: Bool = false) -> Result {
        let start = ContinuousClock.now
        let state = Mutex((next: seeds.lowerBound, result: Result()))
        DispatchQueue.concurrentPerform(iterations: threads) { _ in
            while true {
                let seed: UInt64? = state.withLock { state in
                    if state.next >= seeds.upperBound { return nil }
                    if stoppingAtFirst, !state.result.findings.isEmpty { return nil }
                    defer { state.next += 1 }
                    return state.next
                }
                guard let seed else { return }
                let outcome = schedule(of: seed).run()
                state.withLock { state in
                    state.result.schedules += 1
                    state.result.steps += outcome.steps
                    state.result.jobs += outcome.jobs
                    state.result.incidents.merge(outcome.incidents) { $0 + $1 }
                    if let violation = outcome.violation {
                        state.result.findings.append(Finding(seed: seed, violation: violation))
                    }
                }
            }
        }
        var result = state.withLock { $0.result }
        result.findings.sort { $0.seed < $1.seed }
        result.seconds = (ContinuousClock.now - start) / .seconds(1)
        return result
    }

    private func schedule(of seed: UInt64) -> Schedule { Schedule(seed: seed, mutant: mutant, watching: watched) }

    /// The schedule of a seed, line by line.
    package func trace(of seed: UInt64) -> [String] { schedule(of: seed).run(tracing: true).trace }
}
