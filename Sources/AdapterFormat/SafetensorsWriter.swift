import Glibc

/// Writes a safetensors file tensor by tensor, in any order, holding none of them.
package struct SafetensorsWriter: ~Copyable {
    private let layout: SafetensorsLayout
    private let descriptor: Int32
    private var missing: Set<String>

    /// Writes the header.
    ///
    /// - Parameter descriptor: an empty file, open for writing; it stays the caller's to sync and close.
    package init(layout: SafetensorsLayout, descriptor: Int32) throws(SafetensorsWriteError) {
        self.layout = layout
        self.descriptor = descriptor
        missing = Set(layout.tensors.map(\.name))
        try layout.head.withUnsafeBufferPointer { head throws(SafetensorsWriteError) in
            try Self.put(UnsafeRawBufferPointer(head), at: 0, descriptor)
        }
    }

    /// Writes one tensor, rounding to its declared type.
    package mutating func write(_ values: [Float], to name: String) throws(SafetensorsWriteError) {
        guard let place = layout.place(of: name), missing.remove(name) != nil else { throw .undeclared(name) }
        guard values.count * place.type.byteCount == place.range.count else {
            throw .length(name, expected: place.range.count / place.type.byteCount, found: values.count)
        }
        try values.withUnsafeBufferPointer { values throws(SafetensorsWriteError) in
            if place.type == .f32 {
                try Self.put(UnsafeRawBufferPointer(values), at: place.range.lowerBound, descriptor)
            } else {
                try putEncoded(values, as: place.type, at: place.range.lowerBound)
            }
        }
    }

    /// Makes sure that every declared tensor was written.
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
            try Self.put(UnsafeRawBufferPointer(bytes), at: offset + start * type.byteCount, descriptor)
        }
    }

    private static func put(_ bytes: UnsafeRawBufferPointer, at offset: Int, _ descriptor: Int32)
        throws(SafetensorsWriteError)
    {
        var written = 0
        while written < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
            let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + written))
            if count < 0 {
                if errno == EINTR { continue }
                throw .system(.last("pwrite"))
            }
            written += count
        }
    }
}
