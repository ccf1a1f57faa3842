import Foundation
import Simulation
import Synchronization

/// Shows the progress of a simulation on standard error: on a terminal a bar with the time left, elsewhere one line per
/// round.
final class SimulationDisplay: Sendable {
    private static let width = 30

    private let rounds: Int
    private let played: Int
    private let isTerminal = isatty(STDERR_FILENO) != 0
    private let start = ContinuousClock.now
    private let last = Mutex<RoundRecord?>(nil)

    /// - Parameter played: the rounds of an earlier run, which took no time of this run.
    init(rounds: Int, played: Int) {
        self.rounds = rounds
        self.played = played
    }

    func show(_ event: SimulationRun.Event) {
        switch event {
        case .trained(let count, let total, let round):
            guard isTerminal else { return }
            let share = Double(round - 1) + Double(count) / Double(max(1, total))
            write(
                "\r\(bar(share)) round \(round)/\(rounds), \(count)/\(total) clients\(standing)\(timeLeft(share))\u{1B}[K"
            )
        case .finished(let record):
            last.withLock { $0 = record }
            guard !isTerminal else { return }
            let figures =
                "accuracy \(record.testAccuracy.formatted(places: 4)), loss \(record.testLoss.formatted(places: 4))"
            write(
                "round \(record.round)/\(rounds): \(figures), \(record.clients) clients, "
                    + "\(record.seconds.formatted(places: 1)) s\(timeLeft(Double(record.round)))\n")
        }
    }

    func finish() {
        if isTerminal { write("\r\u{1B}[K") }
    }

    private var standing: String {
        last.withLock { $0 }.map { ", accuracy \($0.testAccuracy.formatted(places: 3))" } ?? ""
    }

    private func bar(_ share: Double) -> String {
        let filled = min(Self.width, Int(share / Double(max(1, rounds)) * Double(Self.width)))
        return "[" + String(repeating: "#", count: filled) + String(repeating: ".", count: Self.width - filled) + "]"
    }

    /// The time left at the pace so far.
    private func timeLeft(_ share: Double) -> String {
        let done = share - Double(played)
        guard done > 0 else { return "" }
        let passed = start.duration(to: .now) / .seconds(1)
        let seconds = Int(passed / done * (Double(rounds) - share))
        return seconds < 60 ? ", \(seconds) s left" : ", \(seconds / 60) min \(seconds % 60) s left"
    }

    private func write(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }
}
