import ClientAgent
import Glibc
import Logging
import RankwiseWire
import ServerCalls
import Synchronization
import SystemPackage
import Training

/// Shows the agent's work to a person or a log.
protocol ProgressDisplay: Sendable {
    func show(_ event: AgentEvent)
    func say(_ text: String)
    func complain(_ text: String, isError: Bool)
}

enum ProgressDisplays {
    /// A live line on a terminal, log lines elsewhere.
    static func forStandardError(label: String) -> any ProgressDisplay {
        isatty(STDERR_FILENO) == 1 ? TerminalDisplay() : LogDisplay(label: label)
    }
}

/// Log lines on standard error: one for each event that matters, none for each packet.
final class LogDisplay: ProgressDisplay {
    private let logger: Logger
    private let lastWaiting = Mutex("")
    /// The round whose training was logged last, and when.
    private let lastTraining = Mutex<(round: Int, at: ContinuousClock.Instant)?>(nil)
    /// The shortest time between two log lines about the training of one round.
    private static let trainingInterval = Duration.seconds(30)

    init(label: String) {
        logger = Logger(label: label) { StreamLogHandler.standardError(label: $0) }
    }

    func show(_ event: AgentEvent) {
        switch event {
        case .downloading, .uploading: return
        case .training(_, let progress) where progress.step != nil: return
        case .training(let round, _):
            let now = ContinuousClock.now
            let isDue = lastTraining.withLock { last in
                if let last, last.round == round, now - last.at < Self.trainingInterval { return false }
                last = (round, now)
                return true
            }
            if isDue { logger.info("\(event)") }
        // Every round goes through these. They matter for a live line, but are noise in a log.
        case .waiting(let plan) where plan.answered || plan.phase == "aggregating": return
        case .waiting:
            let text = "\(event)"
            let isNew = lastWaiting.withLock { last in
                defer { last = text }
                return last != text
            }
            if isNew { logger.info("\(text)") }
        case .retrying, .retraining, .refused, .missed, .declined, .unheard, .rankKept, .notEvaluated:
            logger.warning("\(event)")
        case .registered, .resumed, .started, .trained, .accepted, .evaluated: logger.info("\(event)")
        }
    }

    func say(_ text: String) { logger.info("\(text.printable)") }

    func complain(_ text: String, isError: Bool) {
        logger.log(level: isError ? .error : .info, "\(text.printable)")
    }
}

/// One line that is rewritten during work, and a permanent line for each finished step.
final class TerminalDisplay: ProgressDisplay {
    private struct Screen {
        var live = ""
        var drawnAt = ContinuousClock.now - .seconds(1)
    }

    private let screen = Mutex(Screen())

    func show(_ event: AgentEvent) {
        switch event {
        case .waiting, .started: draw("\(event)", isUrgent: true)
        case .downloading, .uploading, .training: draw("\(event)", isUrgent: false)
        case .registered, .rankKept, .resumed, .trained, .accepted, .missed, .refused, .declined, .unheard, .retraining,
            .retrying, .evaluated, .notEvaluated:
            say("\(event)")
        }
    }

    func say(_ text: String) {
        screen.withLock { screen in
            screen.live = ""
            write("\r\u{1B}[K\(text.printable)\n")
        }
    }

    func complain(_ text: String, isError: Bool) {
        say(isError ? "rankwise-client: \(text)" : text)
    }

    /// Rewrites the live line, at most ten times a second unless it is urgent.
    private func draw(_ text: String, isUrgent: Bool) {
        screen.withLock { screen in
            let now = ContinuousClock.now
            guard text != screen.live, isUrgent || now - screen.drawnAt > .milliseconds(100) else { return }
            screen.live = text
            screen.drawnAt = now
            write("\r\u{1B}[K\(text.prefix(width - 1))")
        }
    }

    private var width: Int {
        var size = winsize()
        return ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 1 ? Int(size.ws_col) : 80
    }

    private func write(_ text: String) {
        _ = try? FileDescriptor.standardError.writeAll(text.utf8)
    }
}
