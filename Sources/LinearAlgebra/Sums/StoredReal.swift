/// How a source stores its numbers, little-endian and at any alignment.
package enum StoredReal: Sendable, Hashable {
    case float64
    case float32
    case float16
    case bfloat16
    /// One byte per number: x = minimum + scale·q with the row's channel.
    case quantised8
    /// Four bits per number, low nibble first, decoded in the same way. Every row starts on a byte.
    case quantised4

    /// Whether a row needs its channel.
    package var isQuantised: Bool {
        switch self {
        case .quantised8, .quantised4: true
        case .float64, .float32, .float16, .bfloat16: false
        }
    }

    /// Whether a number needs at most two bytes.
    var isNarrow: Bool { byteCount(rows: 1, columns: 1) <= 2 }

    /// The byte count of a row-major matrix.
    package func byteCount(rows: Int, columns: Int) -> Int {
        switch self {
        case .float64: rows * columns * 8
        case .float32: rows * columns * 4
        case .float16, .bfloat16: rows * columns * 2
        case .quantised8: rows * columns
        case .quantised4: rows * ((columns + 1) / 2)
        }
    }
}
