import Federation
import Synchronization

/// The lines of a schedule, for a person to read. Nothing is kept unless somebody wants to read.
final class Trace: Sendable {
    private let isKept: Bool
    private let kept = Mutex<[String]>([])

    init(isKept: Bool) { self.isKept = isKept }

    var lines: [String] { kept.withLock { $0 } }

    func note(at now: Timestamp, _ who: String, _ text: @autoclosure () -> String) {
        guard isKept else { return }
        let (seconds, thousandths) = (now.milliseconds % 1_000_000).quotientAndRemainder(dividingBy: 1000)
        let padded = String(repeating: "0", count: 3 - "\(thousandths)".count) + "\(thousandths)"
        let line = "\(seconds).\(padded) \(who): \(text())"
        kept.withLock { $0.append(line) }
    }
}

extension Scheduler {
    /// Writes a line of the trace.
    func note(_ who: String, _ text: @autoclosure () -> String) { trace.note(at: now(), who, text()) }
}
