import AdapterFormat
import Synchronization

/// An update on its way, looked at while it comes, so that its file need not be read again.
package final class ArrivingUpdate: Sendable {
    private let numbers: Mutex<ArrivingNumbers>

    init(byteCount: Int) { numbers = Mutex(ArrivingNumbers(byteCount: byteCount)) }

    /// The next bytes of the body.
    package func take(_ bytes: UnsafeRawBufferPointer) { numbers.withLock { $0.take(bytes) } }

    /// Whether it has come whole, and no number of it is to be refused.
    var isVouchedFor: Bool { numbers.withLock { $0.isVouchedFor } }
}
