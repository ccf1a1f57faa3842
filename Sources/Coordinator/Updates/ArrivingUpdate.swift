import AdapterFormat
import Synchronization

/// An update on its way, looked at while it comes, so that its file need not be read again.
package final class ArrivingUpdate: Sendable {
    private let numbers: Mutex<StreamingFiniteCheck>

    /// - Parameter measuresFactors: whether the sizes of the factors are to be known at the end.
    init(byteCount: Int, measuresFactors: Bool = false) {
        numbers = Mutex(StreamingFiniteCheck(byteCount: byteCount, measuresFactors: measuresFactors))
    }

    /// The next bytes of the body.
    package func take(_ bytes: UnsafeRawBufferPointer) { numbers.withLock { $0.take(bytes) } }

    /// The squares of its factors, once it has come whole and no number of it is to be refused; nil before.
    var soundSquares: [String: Double]? { numbers.withLock { $0.isKnownFinite ? $0.squares : nil } }
}
