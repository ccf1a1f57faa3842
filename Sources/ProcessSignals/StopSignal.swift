import Dispatch
import Glibc

/// Reports when the process is asked to stop; a second signal ends it at once.
///
/// A signal handler writes the signal's number into a pipe, which `received` reads later. So a signal during the
/// program's start neither kills it nor gets lost. (Blocking the signals would not be enough, because the runtime has
/// threads that block none.)
package final class StopSignal {
    private static let names = [SIGTERM: "SIGTERM", SIGINT: "SIGINT"]
    private static let hangUp = "SIGHUP"
    private static let channel: (read: Int32, write: Int32) = {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return (-1, -1) }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        return (ends[0], ends[1])
    }()

    private let arrived: AsyncStream<String>
    private let source: (any DispatchSourceRead)?

    /// From this call on no signal is lost, and a single one does not end the process.
    ///
    /// - Parameter hangUp: whether SIGHUP is handled as well and does not end the process.
    package static func hold(hangUp: Bool = false) {
        guard channel.read >= 0 else { return }
        for number in names.keys.sorted() + (hangUp ? [SIGHUP] : []) {
            signal(number) { number in
                let before = errno
                var byte = UInt8(truncatingIfNeeded: number)
                _ = write(StopSignal.channel.write, &byte, 1)
                errno = before
            }
        }
    }

    package init() {
        let (arrived, continuation) = AsyncStream.makeStream(of: String.self)
        self.arrived = arrived
        guard Self.channel.read >= 0 else {
            source = nil
            return
        }
        let source = DispatchSource.makeReadSource(
            fileDescriptor: Self.channel.read, queue: DispatchQueue(label: "rankwise.signals"))
        source.setEventHandler {
            var byte: UInt8 = 0
            guard read(Self.channel.read, &byte, 1) == 1 else { return }
            continuation.yield(Self.names[Int32(byte)] ?? (Int32(byte) == SIGHUP ? Self.hangUp : "\(byte)"))
            guard Int32(byte) != SIGHUP else { return }
            // After the first signal, further ones have their default effect.
            for number in Self.names.keys { signal(number, SIG_DFL) }
            if read(Self.channel.read, &byte, 1) == 1 { kill(getpid(), Int32(byte)) }
        }
        source.activate()
        self.source = source
    }

    /// The name of the first signal that asks the process to stop.
    ///
    /// - Parameter hangUp: called at each SIGHUP.
    package func received(hangUp: () -> Void = {}) async -> String {
        for await name in arrived {
            guard name == Self.hangUp else { return name }
            hangUp()
        }
        return "none"
    }
}
