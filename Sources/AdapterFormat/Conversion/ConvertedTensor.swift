/// A tensor that is copied into PEFT's file. Its bytes are reordered only where its sides change order.
package struct ConvertedTensor: Sendable {
    /// PEFT's name, with its prefix.
    package let name: String
    package let source: TensorView
    package let shape: [Int]
    /// Whether the source is the transposed matrix.
    let isTransposed: Bool

    init(_ source: TensorView, as name: TensorName, shape: [Int]? = nil, isTransposed: Bool = false) {
        self.name = name.peft
        self.source = source
        self.isTransposed = isTransposed
        self.shape = shape ?? (isTransposed ? source.shape.reversed() : source.shape)
    }

    var layout: SafetensorsLayout.Tensor { .init(name: name, type: source.type, shape: shape) }

    func write(to file: inout SafetensorsWriter) throws(SafetensorsWriteError) {
        try source.withBytes { bytes throws(SafetensorsWriteError) in
            guard isTransposed else { return try file.write(bytes: bytes, to: name) }
            let turned = transposed(bytes)
            try turned.withUnsafeBufferPointer { bytes throws(SafetensorsWriteError) in
                try file.write(bytes: UnsafeRawBufferPointer(bytes), to: name)
            }
        }
    }

    private func transposed(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        let (rows, columns, size) = (source.shape[0], source.shape[1], source.type.byteCount)
        return [UInt8](unsafeUninitializedCapacity: bytes.count) { target, count in
            for row in 0..<rows {
                for column in 0..<columns {
                    let (from, to) = ((row * columns + column) * size, (column * rows + row) * size)
                    for byte in 0..<size { target[to + byte] = bytes[from + byte] }
                }
            }
            count = bytes.count
        }
    }
}
