import Coordinator
import Federation
import Synchronization

/// One run of several servers, clients and faults, which a seed decides completely.
package struct Schedule: Sendable {
    package let seed: UInt64
    package let mutant: Mutant?
    private let watched: Set<Invariant>

    /// When the faults stop, and how long everybody may then take to end, in seconds of the schedule's clock.
    private static let faultSeconds = 20...150
    private static let patience = 900.0
    /// No schedule needs more jobs than this.
    private static let mostJobs = 400_000

    package init(seed: UInt64, mutant: Mutant? = nil, watching watched: Set<Invariant> = Set(Invariant.allCases)) {
        self.seed = seed
        self.mutant = mutant
        self.watched = watched
    }

    /// The result of a schedule.
    package struct Outcome: Sendable {
        package let violation: Violation?
        /// The number of stored steps and of jobs.
        package let steps: Int
        package let jobs: Int
        package let incidents: [Incident: Int]
        /// Every event of the schedule in order, where it was asked for.
        package let trace: [String]
    }

    /// Runs the schedule on the calling thread.
    package func run(tracing: Bool = false) -> Outcome {
        let trace = Trace(isKept: tracing)
        let scheduler = Scheduler(seed: seed, trace: trace)
        let ledger = StepLedger(watching: watched)
        let hazards = HazardSwitch(scheduler.roll { Hazards(&$0) })
        let settings = scheduler.roll { Self.settings(&$0) }
        let stored = StoredFederation(machine: FederationMachine(settings: settings), createdAt: scheduler.now())
        let store = FakeStore(stored, scheduler: scheduler, hazards: hazards, ledger: ledger, mutant: mutant)
        let world = World(store, hazards: hazards)
        let director = Director(world: world, stage: Stage(scheduler))
        scheduler.note("schedule", "seed \(seed), \(settings.policy)")
        director.start()
        let hasEnded = scheduler.run {
            world.disturb()
            return director.isDone || ledger.violation != nil || scheduler.jobCount > Self.mostJobs
        }
        if !hasEnded || scheduler.jobCount > Self.mostJobs {
            ledger.report(.ends, "after \(scheduler.jobCount) jobs somebody still waits")
        }
        let violation = ledger.violation
        let (steps, jobs, incidents) = (ledger.steps, scheduler.jobCount, ledger.incidents)
        scheduler.note("schedule", violation.map { "VIOLATION: \($0)" } ?? "ends well")
        let lines = trace.lines
        // Whatever still runs comes to its end, so that it leaves no memory behind.
        hazards.stop()
        world.end()
        _ = scheduler.run { scheduler.jobCount > jobs + Self.mostJobs }
        world.close()
        return Outcome(violation: violation, steps: steps, jobs: jobs, incidents: incidents, trace: lines)
    }

    private static func settings(_ dice: inout Dice) -> FederationSettings {
        let minimum = dice.number(in: 1...2)
        let isBuffered = dice.chance(0.2)
        let policy = RoundPolicy(
            total: dice.number(in: 1...3), minimumClients: 2, minimumUpdates: minimum,
            targetUpdates: dice.chance(0.3) && !isBuffered ? 2 : nil, deadlineSeconds: Double(dice.number(in: 15...60)),
            onMissedQuorum: dice.one(of: [.extend, .abandon]),
            selection: dice.one(of: [.fraction(1), .fraction(1), .count(2)]), overSelection: dice.one(of: [0, 0.5]),
            seenSeconds: 10_000,
            buffer: isBuffered ? .init(size: 2, stalenessExponent: 0.5, maximumStaleness: 2) : nil)
        var settings = FederationSettings(
            id: FederationID(unchecked: "shared"), baseModel: .init(name: "base", seed: 1, sha256: nil),
            adapter: .init(
                maximumRank: 4, scaling: .lora(alpha: 8), elementType: .float32,
                modules: ["m": .init(kind: .linear, inputs: 3, outputs: 2, maximumRank: nil, bias: false)], dense: [:]),
            strategy: .init(name: "rbla"), server: .init(), policy: policy, limits: .init(clients: 10, samples: 1000),
            training: "{}", seed: dice.next() >> 11)
        if !isBuffered, dice.chance(0.5) {
            settings.evaluation = EvaluationPolicy(
                every: dice.one(of: [1, 1, 2]), fraction: dice.one(of: [1, 0.5]),
                deadlineSeconds: Double(dice.number(in: 5...40)), best: .init(metric: "accuracy", mode: .max),
                patience: dice.one(of: [nil, 1]))
        }
        return settings
    }

    /// How many take part in a schedule, and how they behave.
    struct Stage: Sendable {
        let servers: Int
        let clients: [ClientName]
        let declines: Double
        let leaves: Double
        let hasOperator: Bool
        let faultSeconds: Double

        init(_ scheduler: Scheduler) {
            self = scheduler.roll { Stage(&$0) }
        }

        private init(_ dice: inout Dice) {
            servers = dice.number(in: 2...4)
            clients = (1...dice.number(in: 2...5)).map { ClientName(unchecked: "client-\($0)") }
            declines = dice.one(of: [0, 0, 0.1])
            leaves = dice.one(of: [0, 0, 0.05])
            hasOperator = dice.chance(0.4)
            faultSeconds = Double(dice.number(in: Schedule.faultSeconds))
        }
    }

    /// The longest time that everybody may take once there are no faults.
    static var patienceSeconds: Double { patience }
}
