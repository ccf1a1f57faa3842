import Dispatch
import HTTPFetching
import Synchronization

/// The end that a caller sets to its call, whatever the call is waiting for.
final class CallCancellation: Sendable {
    private struct State {
        var isCancelled = false
        /// Ends the present wait; it may be called late, when that wait is over.
        var interrupt: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    var isCancelled: Bool { state.withLock { $0.isCancelled } }

    func cancel() {
        let interrupt = state.withLock { state in
            state.isCancelled = true
            return state.interrupt
        }
        interrupt?()
    }

    /// Has `interrupt` called when the call is cancelled, at once where it already is.
    func onCancel(_ interrupt: (@Sendable () -> Void)?) {
        let isCancelled = state.withLock { state in
            state.interrupt = interrupt
            return state.isCancelled
        }
        if isCancelled { interrupt?() }
    }

    /// Blocks for `time`, or until the call is cancelled.
    func wait(_ time: Duration) {
        let bell = DispatchSemaphore(value: 0)
        onCancel { bell.signal() }
        _ = bell.wait(timeout: .now() + .nanoseconds(Int(clamping: time.inNanoseconds)))
        onCancel(nil)
    }
}

extension Duration {
    var inNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max : whole + attoseconds / 1_000_000_000
    }
}
