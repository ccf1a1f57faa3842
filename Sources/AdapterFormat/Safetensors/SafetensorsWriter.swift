/// Writes a safetensors file tensor by tensor, in any order, and keeps none of them.
package struct SafetensorsWriter: ~Copyable {
    private let layout: SafetensorsLayout
    private let descriptor: Int32
    private var missing: Set<String>

    /// Reserves the whole file on the disk and writes the header.
    ///
    /// - Parameter descriptor: an empty file, open for writing; the caller syncs and closes it.
    package init(layout: SafetensorsLayout, descriptor: Int32) throws(SafetensorsWriteError) {
        self.layout = layout
        self.descriptor = descriptor
        missing = Set(layout.tensors.map(\.name))
        try FileRoom.reserve(layout.byteCount, descriptor)
        try layout.head.withUnsafeBufferPointer { head throws(SafetensorsWriteError) in
            try FileRoom.put(UnsafeRawBufferPointer(head), at: 0, descriptor)
        }
    }

    /// Writes one tensor: rounds to its declared type, or quantises.
    package mutating func write(_ values: [Float], to name: String) throws(SafetensorsWriteError) {
        guard let place = layout.place(of: name), missing.remove(name) != nil else { throw .undeclared(name) }
        guard values.count == place.elementCount else {
            throw .length(name, expected: place.elementCount, found: values.count)
        }
        try values.withUnsafeBufferPointer { values throws(SafetensorsWriteError) in
            switch place.coding {
            case .number(.f32): try FileRoom.put(UnsafeRawBufferPointer(values), at: place.range.lowerBound, descriptor)
            case .number(let type): try putEncoded(values, as: type, at: place.range.lowerBound)
            case .quantised(let quantised): try putQuantised(values, of: name, as: quantised, at: place.range)
            }
        }
    }

    /// Writes one tensor's bytes unchanged: little-endian, of its declared type.
    package mutating func write(bytes: UnsafeRawBufferPointer, to name: String) throws(SafetensorsWriteError) {
        guard let place = layout.place(of: name), case .number(let type) = place.coding, missing.remove(name) != nil
        else { throw .undeclared(name) }
        guard bytes.count == place.range.count else {
            throw .length(name, expected: place.elementCount, found: bytes.count / type.byteCount)
        }
        try FileRoom.put(bytes, at: place.range.lowerBound, descriptor)
    }

    /// Writes one tensor in blocks of rows.
    ///
    /// - Parameters:
    ///   - width: the numbers in a row.
    ///   - fill: writes some rows to memory that is not initialized.
    package mutating func write(
        rows: Int, width: Int, to name: String,
        by fill: (_ rows: Range<Int>, _ target: UnsafeMutableBufferPointer<Float>) -> Void
    ) throws(SafetensorsWriteError) {
        guard let place = layout.place(of: name), missing.remove(name) != nil else { throw .undeclared(name) }
        guard rows * width == place.elementCount else {
            throw .length(name, expected: place.elementCount, found: rows * width)
        }
        guard case .number(let type) = place.coding else { throw .undeclared(name) }
        let step = max(1, Self.blockSize / max(1, width))
        let block = UnsafeMutableBufferPointer<Float>.allocate(capacity: min(step, rows) * width)
        defer { block.deallocate() }
        for first in stride(from: 0, to: rows, by: step) {
            let some = first..<min(first + step, rows)
            let values = UnsafeMutableBufferPointer(rebasing: block[..<(some.count * width)])
            fill(some, values)
            let offset = place.range.lowerBound + first * width * type.byteCount
            if type == .f32 {
                try FileRoom.put(UnsafeRawBufferPointer(values), at: offset, descriptor)
            } else {
                try putEncoded(UnsafeBufferPointer(values), as: type, at: offset)
            }
        }
    }

    /// The numbers of a block that stays in the second-level cache on its way to the file.
    private static let blockSize = 65_536

    /// Checks that every declared tensor was written.
    package consuming func finish() throws(SafetensorsWriteError) {
        if let name = missing.min(by: { $0.precedes($1) }) { throw .missing(name) }
    }
}

extension SafetensorsWriter {
    private func putEncoded(
        _ values: UnsafeBufferPointer<Float>, as type: ScalarType, at offset: Int
    ) throws(SafetensorsWriteError) {
        let chunk = 65_536
        let encoded = UnsafeMutableRawBufferPointer.allocate(byteCount: chunk * type.byteCount, alignment: 16)
        defer { encoded.deallocate() }
        for start in stride(from: 0, to: values.count, by: chunk) {
            let part = UnsafeBufferPointer(rebasing: values[start..<min(start + chunk, values.count)])
            let bytes = UnsafeMutableRawBufferPointer(rebasing: encoded[..<(part.count * type.byteCount)])
            type.encode(part, into: bytes)
            try FileRoom.put(UnsafeRawBufferPointer(bytes), at: offset + start * type.byteCount, descriptor)
        }
    }

    /// Quantises some rows at a time, and writes the scales and minima when all are known.
    private func putQuantised(
        _ values: UnsafeBufferPointer<Float>, of name: String, as quantised: SafetensorsLayout.Place.Quantised,
        at range: Range<Int>
    ) throws(SafetensorsWriteError) {
        let columns = quantised.columns
        let rowBytes = quantised.bits.byteCount(columns: columns)
        let rows = quantised.rows
        let chunk = max(1, min(rows, 65_536 / max(1, rowBytes)))
        let packed = UnsafeMutableRawBufferPointer.allocate(byteCount: chunk * rowBytes, alignment: 16)
        defer { packed.deallocate() }
        var scales: [Float] = []
        var minima: [Float] = []
        for first in stride(from: 0, to: rows, by: chunk) {
            let count = min(chunk, rows - first)
            for index in 0..<count {
                let row = first + index
                let numbers = UnsafeBufferPointer(rebasing: values[row * columns..<(row + 1) * columns])
                guard ScalarType.f32.count(in: UnsafeRawBufferPointer(numbers)) == 0 else {
                    throw .notFinite(name, row: row)
                }
                let codes = UnsafeMutableRawBufferPointer(rebasing: packed[index * rowBytes..<(index + 1) * rowBytes])
                guard let channel = quantised.bits.encode(numbers, into: codes) else {
                    throw .tooWide(name, row: row)
                }
                scales.append(channel.scale)
                minima.append(channel.minimum)
            }
            try FileRoom.put(
                UnsafeRawBufferPointer(rebasing: packed[..<(count * rowBytes)]),
                at: range.lowerBound + first * rowBytes, descriptor)
        }
        for (numbers, range) in [(scales, quantised.scales), (minima, quantised.minima)] {
            try numbers.withUnsafeBufferPointer { numbers throws(SafetensorsWriteError) in
                try FileRoom.put(UnsafeRawBufferPointer(numbers), at: range.lowerBound, descriptor)
            }
        }
    }
}
