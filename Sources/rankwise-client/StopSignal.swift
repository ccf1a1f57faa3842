import Dispatch
import Foundation
import Synchronization

/// Calls back on SIGTERM and SIGINT; a second signal ends the process at once.
final class StopSignal {
    private static let numbers = [SIGTERM, SIGINT]
    private let sources: [any DispatchSourceSignal]

    /// Keeps signals pending from here on, in this thread and in those that it starts, until somebody receives them: what
    /// comes while the client starts would else kill it.
    static func hold() { change(SIG_BLOCK) }

    /// From here on a signal does what it does to any process.
    static func release() { change(SIG_UNBLOCK) }

    /// On return no signal is lost.
    init(_ stop: @escaping @Sendable () -> Void) {
        let queue = DispatchQueue(label: "rankwise.signals")
        let registering = DispatchGroup()
        let received = Count()
        sources = Self.numbers.map { number in
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                guard received.next() == 1 else { return Self.end(by: number) }
                stop()
            }
            registering.enter()
            source.setRegistrationHandler { registering.leave() }
            source.activate()
            return source
        }
        registering.wait()
    }

    func end() { sources.forEach { $0.cancel() } }

    private static func change(_ how: Int32) {
        var set = sigset_t()
        sigemptyset(&set)
        for number in numbers { sigaddset(&set, number) }
        pthread_sigmask(how, &set, nil)
    }

    /// Ends the process as the signal does by itself.
    private static func end(by number: Int32) {
        signal(number, SIG_DFL)
        release()
        raise(number)
    }

    private final class Count: Sendable {
        private let value = Atomic(0)

        func next() -> Int { value.add(1, ordering: .relaxed).newValue }
    }
}
