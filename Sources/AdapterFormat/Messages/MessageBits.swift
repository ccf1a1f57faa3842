/// How many bits each number of a quantised message takes.
package enum MessageBits: Int, Sendable, Hashable, CaseIterable {
    case four = 4
    case eight = 8

    /// The greatest code: 2ᵇ − 1.
    package var levels: Int { (1 << rawValue) - 1 }

    /// The bytes of one row; every row starts on a byte of its own.
    package func byteCount(columns: Int) -> Int {
        switch self {
        case .four: columns / 2 + columns % 2
        case .eight: columns
        }
    }

    /// The shape in the file of a tensor of this shape, which has two sides or more and fits in memory as F32.
    func storedShape(of shape: [Int]) -> [Int] {
        switch self {
        case .four: [shape[0], byteCount(columns: Self.columns(of: shape))]
        case .eight: shape
        }
    }

    /// The numbers in a row: the product of all sides but the first.
    static func columns(of shape: [Int]) -> Int { shape.dropFirst().reduce(1, *) }

    /// The metadata key for the bits of each number in a file.
    static let metadataKey = "message_bits"

    /// The metadata key for the shape of a tensor whose rows are packed; the value is like "8,65".
    static func shapeKey(of tensor: String) -> String { "shape:\(tensor)" }

    static func nameOfScales(of tensor: String) -> String { tensor + ".scale" }
    static func nameOfMinima(of tensor: String) -> String { tensor + ".min" }
}
