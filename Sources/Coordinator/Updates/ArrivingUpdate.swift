import AdapterFormat
import Synchronization

/// An update that is checked while it arrives, so that its file need not be read again.
package final class ArrivingUpdate: Sendable {
    private let numbers: Mutex<StreamingFiniteCheck>

    /// - Parameter measuresFactors: whether to measure the sizes of the factors.
    init(byteCount: Int, measuresFactors: Bool = false) {
        numbers = Mutex(StreamingFiniteCheck(byteCount: byteCount, measuresFactors: measuresFactors))
    }

    /// Processes the next bytes of the body.
    package func take(_ bytes: UnsafeRawBufferPointer) { numbers.withLock { $0.take(bytes) } }

    /// The sums of squares of the factors, once the whole update has arrived and all its numbers are valid; nil before.
    var soundSquares: [String: Double]? { numbers.withLock { $0.isKnownFinite ? $0.squares : nil } }
}
