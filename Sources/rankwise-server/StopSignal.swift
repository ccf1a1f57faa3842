import Dispatch
import Foundation

/// Tells when the process is asked to stop; a second signal ends it at once.
final class StopSignal {
    private let names: AsyncStream<String>
    private let sources: [any DispatchSourceSignal]

    /// On return no signal is lost: before, it would be ignored, as Dispatch takes it over on a thread of its own.
    init() {
        let (names, continuation) = AsyncStream.makeStream(of: String.self)
        self.names = names
        let queue = DispatchQueue(label: "rankwise.signals")
        let registering = DispatchGroup()
        sources = [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")].map { number, name in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                continuation.yield(name)
                signal(number, SIG_DFL)
            }
            registering.enter()
            source.setRegistrationHandler { registering.leave() }
            source.activate()
            return source
        }
        registering.wait()
    }

    /// The name of the first signal that comes.
    func received() async -> String {
        for await name in names { return name }
        return "none"
    }
}
