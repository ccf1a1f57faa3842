import AdapterFormat
import CVectors

/// One frozen weight of a model file, read row by row; it keeps the file mapped.
///
/// A linear layer's weight is (outputs × inputs), whatever the order in the file: GPT-2's safetensors have the transpose,
/// and GGUF files of the Llama family have the query and key rows of a head in another order.
package struct ModelTensor: Sendable {
    /// Hugging Face's name, such as `model.layers.0.self_attn.q_proj.weight`.
    package let name: String
    /// `[rows, columns]`, or `[columns]` for a vector.
    package let shape: [Int]
    package let type: StoredType
    let order: Order
    private let storage: TensorStorage
    private let range: Range<Int>

    /// How the rows of the file become the rows of the tensor.
    enum Order: Sendable, Hashable {
        case plain
        /// The file has rows 0, width / 2, 1, width / 2 + 1, … of each head, where `width` is even.
        case interleaved(headWidth: Int)
        /// The file has the transpose, in a plain type.
        case transposed
    }

    /// - Precondition: `range` lies in `storage` and holds exactly the numbers of `shape`; rows are whole blocks.
    init(name: String, shape: [Int], type: StoredType, order: Order, storage: TensorStorage, range: Range<Int>) {
        self.name = name
        self.shape = shape
        self.type = type
        self.order = order
        self.storage = storage
        self.range = range
    }

    /// A vector has one row.
    package var rows: Int { shape.count == 1 ? 1 : shape[0] }
    package var columns: Int { shape[shape.count - 1] }
    /// The bytes in the file.
    package var byteCount: Int { range.count }

    private var rowBytes: Int { columns / type.blockLength * type.blockBytes }

    /// The widest vectors of this processor.
    private static let width = rows_widest()

    /// Widens some rows to floats, in order and without gaps: `rows.count × columns` numbers.
    ///
    /// Allocates nothing. The values are those of the format's formulas in float32, the same bits on every processor.
    /// May be called from several threads at once.
    ///
    /// - Precondition: the rows exist, and `target` has room for them. It need not be initialized.
    package func read(rows wanted: Range<Int>, into target: UnsafeMutablePointer<Float>) {
        precondition(
            wanted.lowerBound >= 0 && wanted.upperBound <= rows, "rows \(wanted) of \(name), which has \(rows)")
        storage.withBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            let start = base + range.lowerBound
            switch order {
            case .plain:
                blocks_read(
                    Self.width, type.blocks, start + wanted.lowerBound * rowBytes, target,
                    wanted.count * (columns / type.blockLength))
            case .interleaved(let headWidth): readInterleaved(wanted, start, headWidth, into: target)
            case .transposed: readTransposed(wanted, start, into: target)
            }
        }
    }

    /// The place in a GGUF file of each row: the row's own, but for the queries and keys of the Llama family.
    package static func ggufPlaces(rows: Int, of name: String, in configuration: ModelConfiguration) -> [Int] {
        guard configuration.architecture == .llama, name.contains(".q_proj") || name.contains(".k_proj") else {
            return Array(0..<rows)
        }
        return (0..<rows).map { place($0, headWidth: configuration.headWidth) }
    }

    private static func place(_ row: Int, headWidth: Int) -> Int {
        let (head, rest) = row.quotientAndRemainder(dividingBy: headWidth)
        let (half, pair) = rest.quotientAndRemainder(dividingBy: headWidth / 2)
        return head * headWidth + 2 * pair + half
    }

    /// All numbers, row after row.
    package func floats() -> [Float] {
        let elements = rows * columns
        return [Float](unsafeUninitializedCapacity: elements) { buffer, count in
            if let base = buffer.baseAddress { read(rows: 0..<rows, into: base) }
            count = elements
        }
    }

    /// Counts the numbers that are infinite or not a number. Reads the whole tensor.
    package func notFiniteCount() -> Int {
        let step = max(1, 16_384 / max(1, columns))
        return withUnsafeTemporaryAllocation(of: Float.self, capacity: step * columns) { block in
            guard let base = block.baseAddress else { return 0 }
            var total = 0
            for first in stride(from: 0, to: rows, by: step) {
                let part = first..<min(rows, first + step)
                read(rows: part, into: base)
                for index in 0..<part.count * columns where !base[index].isFinite { total += 1 }
            }
            return total
        }
    }
}

extension ModelTensor {
    private func readInterleaved(
        _ wanted: Range<Int>, _ start: UnsafeRawPointer, _ headWidth: Int, into target: UnsafeMutablePointer<Float>
    ) {
        /// The place in the file of a row, or of a number of a vector.
        func place(_ index: Int) -> Int { Self.place(index, headWidth: headWidth) }
        if shape.count == 1 {
            guard !wanted.isEmpty else { return }
            // A bias: its numbers are in the order of the rows. Only plain types get here.
            for index in 0..<columns {
                blocks_read(Self.width, type.blocks, start + place(index) * type.blockBytes, target + index, 1)
            }
        } else {
            for row in wanted {
                blocks_read(
                    Self.width, type.blocks, start + place(row) * rowBytes,
                    target + (row - wanted.lowerBound) * columns, columns / type.blockLength)
            }
        }
    }

    /// By tiles that fit the first cache: each is widened along the file's rows and stored along the tensor's.
    private func readTransposed(
        _ wanted: Range<Int>, _ start: UnsafeRawPointer, into target: UnsafeMutablePointer<Float>
    ) {
        let (tileRows, tileColumns) = (64, 16)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: tileRows * tileColumns) { tile in
            guard let tile = tile.baseAddress else { return }
            for firstRow in stride(from: wanted.lowerBound, to: wanted.upperBound, by: tileRows) {
                let height = min(tileRows, wanted.upperBound - firstRow)
                for firstColumn in stride(from: 0, to: columns, by: tileColumns) {
                    let width = min(tileColumns, columns - firstColumn)
                    for column in 0..<width {
                        let place = (firstColumn + column) * rows + firstRow
                        blocks_read(
                            Self.width, type.blocks, start + place * type.blockBytes, tile + column * tileRows, height)
                    }
                    for row in 0..<height {
                        let place = target + (firstRow - wanted.lowerBound + row) * columns + firstColumn
                        for column in 0..<width { place[column] = tile[column * tileRows + row] }
                    }
                }
            }
        }
    }
}
