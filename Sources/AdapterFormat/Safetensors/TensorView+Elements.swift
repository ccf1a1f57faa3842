extension TensorView {
    /// Writes some of the numbers, in the order of the file, to memory that need not be initialized.
    ///
    /// - Precondition: the numbers exist, and `target` holds exactly as many.
    package func decode(elements: Range<Int>, into target: UnsafeMutableBufferPointer<Float>) {
        precondition(
            elements.lowerBound >= 0 && elements.upperBound <= elementCount && target.count == elements.count,
            "numbers decoded into another size than their own")
        if let quantisation { return decode(elements, by: quantisation, into: target) }
        let bytes = elements.lowerBound * type.byteCount..<elements.upperBound * type.byteCount
        if type == .f32, let reader {
            reader(bytes.lowerBound, UnsafeMutableRawBufferPointer(target))
        } else {
            withBytes { type.decode(UnsafeRawBufferPointer(rebasing: $0[bytes]), into: target) }
        }
    }

    /// Row by row. A part of a row begins on a whole byte, so it may begin one number early.
    private func decode(
        _ elements: Range<Int>, by quantisation: Quantisation, into target: UnsafeMutableBufferPointer<Float>
    ) {
        let width = quantisation.columns
        var next = elements.lowerBound
        withBytes { bytes in
            while next < elements.upperBound {
                let row = next / width
                let columns = next - row * width..<min(elements.upperBound - row * width, width)
                let first = columns.lowerBound & ~1
                let start = row * quantisation.bytesPerRow + quantisation.bits.byteCount(columns: first)
                let count = columns.upperBound - first
                let source = UnsafeRawBufferPointer(
                    rebasing: bytes[start..<start + quantisation.bits.byteCount(columns: count)])
                let place = next - elements.lowerBound
                withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { decoded in
                    quantisation.bits.decode(source, of: quantisation.channel(row), into: decoded)
                    let kept = UnsafeMutableBufferPointer(rebasing: decoded[(columns.lowerBound - first)...])
                    _ = UnsafeMutableBufferPointer(rebasing: target[place..<place + columns.count])
                        .update(fromContentsOf: kept)
                }
                next += columns.count
            }
        }
    }
}
