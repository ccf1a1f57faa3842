import Dispatch
import Foundation

/// Tells when the process is asked to stop; a second signal ends it at once.
final class StopSignal {
    private let names: AsyncStream<String>
    private let sources: [any DispatchSourceSignal]

    init() {
        let (names, continuation) = AsyncStream.makeStream(of: String.self)
        self.names = names
        let queue = DispatchQueue(label: "rankwise.signals")
        sources = [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")].map { number, name in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                continuation.yield(name)
                signal(number, SIG_DFL)
            }
            source.activate()
            return source
        }
    }

    /// The name of the first signal that comes.
    func received() async -> String {
        for await name in names { return name }
        return "none"
    }
}
