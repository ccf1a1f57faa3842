/// Checks the numbers of a safetensors file while its bytes arrive, so that a valid file need not be read again.
///
/// It refuses nothing. If it cannot confirm a file, `AdapterFile.checkFinite` reads the file and reports the error.
package struct StreamingFiniteCheck: Sendable {
    private enum Phase {
        /// Collects the bytes up to the header's end.
        case header
        case numbers
        /// Cannot be confirmed; the remaining bytes are ignored.
        case doubtful
    }

    private struct Tensor {
        /// Nil where the sum of its squares is not needed.
        let name: String?
        let type: ScalarType
        /// Measured from the start of the file.
        let range: Range<Int>
    }

    /// A longer header is not kept; thousands of modules need less.
    private static let headerLimit = 1 << 20

    private let byteCount: Int
    private let measuresFactors: Bool
    private var phase = Phase.header
    private var position = 0
    private var header: [UInt8] = []
    /// In the order of the data, which they cover; complete ones are removed.
    private var tensors: ArraySlice<Tensor> = []
    /// The first bytes of a number whose remaining bytes have not arrived.
    private var begun: [UInt8] = []

    /// The sums of the squares of LoRA factors, by the file's name of the tensor; complete once the file is confirmed.
    package private(set) var squares: [String: Double] = [:]

    /// - Parameters:
    ///   - byteCount: the length of the whole file.
    ///   - measuresFactors: whether the squares of factors are added up.
    package init(byteCount: Int, measuresFactors: Bool = false) {
        self.byteCount = byteCount
        self.measuresFactors = measuresFactors
    }

    /// Whether the whole file has arrived, and `AdapterFile.checkFinite` would find nothing in it.
    package var isKnownFinite: Bool {
        guard case .numbers = phase else { return false }
        return position == byteCount
    }

    /// Takes the next bytes of the file.
    package mutating func take(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes
        while !rest.isEmpty {
            let count: Int
            switch phase {
            case .header: count = takeHeader(rest)
            case .numbers: count = takeNumbers(rest)
            case .doubtful: return
            }
            position += count
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// - Returns: how many of the bytes belong to the header.
    private mutating func takeHeader(_ bytes: UnsafeRawBufferPointer) -> Int {
        if header.count < 8 {
            let count = min(8 - header.count, bytes.count)
            header += bytes[..<count]
            return count
        }
        let length = header.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
        guard length <= UInt64(Self.headerLimit), length <= UInt64(max(0, byteCount - 8)) else {
            phase = .doubtful
            return bytes.count
        }
        let count = min(8 + Int(length) - header.count, bytes.count)
        header += bytes[..<count]
        if header.count == 8 + Int(length) { readHeader() }
        return count
    }

    private mutating func readHeader() {
        phase = .doubtful
        let (header, byteCount) = (header, byteCount)
        let read = header.withUnsafeBytes { bytes in
            try? SafetensorsHeader(start: bytes, byteCount: byteCount, limits: SafetensorsFile.Limits())
        }
        self.header = []
        guard let read else { return }
        var found: [Tensor] = []
        for entry in read.entries where !entry.range.isEmpty {
            // Other tensors, which may come later, define the codes of a quantised tensor.
            guard case .number(let type) = entry.type else { return }
            found.append(
                Tensor(
                    name: measuresFactors && TensorName(parsing: entry.name).isFactor ? entry.name : nil, type: type,
                    range: read.dataStart + entry.range.lowerBound..<read.dataStart + entry.range.upperBound))
        }
        tensors = found[...]
        phase = .numbers
    }

    /// - Returns: how many of the bytes belong to the current tensor.
    private mutating func takeNumbers(_ bytes: UnsafeRawBufferPointer) -> Int {
        while let tensor = tensors.first, tensor.range.upperBound <= position { tensors.removeFirst() }
        guard let tensor = tensors.first, tensor.range.contains(position) else {
            phase = .doubtful
            return bytes.count
        }
        let (size, limit) = (tensor.type.byteCount, AdapterFile.largestNumber)
        let count = min(bytes.count, tensor.range.upperBound - position)
        var rest = bytes[..<count]
        var refused = 0
        if !begun.isEmpty {
            let missing = min(size - begun.count, rest.count)
            begun += rest.prefix(missing)
            rest = rest.dropFirst(missing)
            if begun.count == size {
                refused += begun.withUnsafeBytes { tensor.type.count(in: $0, beyond: limit) }
                begun.withUnsafeBytes { addSquares(of: $0, in: tensor) }
                begun.removeAll(keepingCapacity: true)
            }
        }
        let whole = rest.prefix(rest.count / size * size)
        refused += tensor.type.count(in: UnsafeRawBufferPointer(rebasing: whole), beyond: limit)
        addSquares(of: UnsafeRawBufferPointer(rebasing: whole), in: tensor)
        begun += rest.dropFirst(whole.count)
        if refused > 0 { phase = .doubtful }
        return count
    }

    private mutating func addSquares(of bytes: UnsafeRawBufferPointer, in tensor: Tensor) {
        guard let name = tensor.name else { return }
        squares[name, default: 0] += tensor.type.squareSum(in: bytes)
    }
}
