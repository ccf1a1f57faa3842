import Synchronization

/// How often each fault happens in a schedule. Some schedules have many of a kind, others none.
struct Hazards: Sendable {
    /// The chance for each call of the store.
    var unreachable = 0.0
    var failedCommit = 0.0
    var lostAnswer = 0.0
    var repeatedTransaction = 0.0
    /// The chance for each listener and step.
    var droppedNotification = 0.0
    var lateNotification = 0.0
    /// The chance for each job of a server.
    var pause = 0.0
    var kill = 0.0
    /// The same, for the store.
    var restart = 0.0
    /// The chance for each aggregation.
    var lostBlob = 0.0
    var failedAggregation = 0.0
    var slowAggregation = 0.0

    static let none = Hazards()

    init() {}

    init(_ dice: inout Dice) {
        func rate(_ dice: inout Dice, _ choices: [Double]) -> Double { dice.one(of: choices) }
        unreachable = rate(&dice, [0, 0, 0.02, 0.1])
        failedCommit = rate(&dice, [0, 0, 0.05, 0.2])
        lostAnswer = rate(&dice, [0, 0.05, 0.2, 0.5])
        repeatedTransaction = rate(&dice, [0, 0, 0.1, 0.3])
        droppedNotification = rate(&dice, [0, 0.3, 1])
        lateNotification = rate(&dice, [0, 0.3, 0.9])
        pause = rate(&dice, [0, 0.001, 0.005, 0.02])
        kill = rate(&dice, [0, 0, 0.001, 0.004])
        restart = rate(&dice, [0, 0, 0.001])
        lostBlob = rate(&dice, [0, 0, 0.2, 0.5])
        failedAggregation = rate(&dice, [0, 0, 0.2])
        slowAggregation = rate(&dice, [0, 0.2, 0.6])
    }
}

/// The present rates of faults. They stop at some moment of the schedule.
final class HazardSwitch: Sendable {
    private let rates: Mutex<Hazards>

    init(_ hazards: Hazards) { rates = Mutex(hazards) }

    var current: Hazards { rates.withLock { $0 } }

    func stop() { rates.withLock { $0 = .none } }
}
