import Dispatch
import Foundation

/// Calls back on SIGTERM and SIGINT; a second signal ends the process at once.
final class StopSignal {
    private static let numbers = [SIGTERM, SIGINT]
    private let sources: [any DispatchSourceSignal]

    init(_ stop: @escaping @Sendable () -> Void) {
        let queue = DispatchQueue(label: "rankwise.signals")
        sources = Self.numbers.map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                signal(number, SIG_DFL)
                stop()
            }
            source.activate()
            return source
        }
    }

    /// From here on a signal does what it does to any process.
    func end() {
        sources.forEach { $0.cancel() }
        Self.numbers.forEach { signal($0, SIG_DFL) }
    }
}
