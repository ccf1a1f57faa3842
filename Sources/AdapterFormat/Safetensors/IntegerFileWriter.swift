import StrictJSON

/// Writes a safetensors file of 64-bit integers tensor by tensor, in any order, and keeps none of them. A list of bytes
/// may stand at its end.
package struct IntegerFileWriter: ~Copyable {
    /// A tensor to be written.
    package struct Tensor: Sendable, Hashable {
        package let name: String
        package let shape: [Int]

        package init(name: String, shape: [Int]) {
            self.name = name
            self.shape = shape
        }
    }

    private let descriptor: Int32
    /// The places of tensors that are not written yet, measured from the start of the file.
    private var missing: [String: Range<Int>]

    /// Reserves the whole file on the disk and writes the header.
    ///
    /// - Parameters:
    ///   - list: a list of bytes with its name, written at once.
    ///   - descriptor: an empty file, open for writing; the caller syncs and closes it.
    package init(
        tensors: [Tensor], metadata: [String: String], list: (name: String, bytes: [UInt8])? = nil, descriptor: Int32
    ) throws(SafetensorsWriteError) {
        self.descriptor = descriptor
        missing = [:]
        let pairs = metadata.sorted { $0.key.precedes($1.key) }
            .map { "\($0.key.jsonQuoted):\($0.value.jsonQuoted)" }
        var entries = ["\"__metadata__\":{\(pairs.joined(separator: ","))}"]
        var ranges: [String: Range<Int>] = [:]
        var end = 0
        for tensor in tensors.sorted(by: { $0.name.precedes($1.name) }) {
            guard let bytes = ScalarType.f64.byteCount(of: tensor.shape) else { throw .tooLarge(tensor.name) }
            let (next, overflow) = end.addingReportingOverflow(bytes)
            guard !overflow else { throw .tooLarge(tensor.name) }
            guard ranges.updateValue(end..<next, forKey: tensor.name) == nil, tensor.name != "__metadata__" else {
                throw .duplicate(tensor.name)
            }
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            entries.append(
                """
                \(tensor.name.jsonQuoted):{"dtype":"\(IntegerFile.dtype)","shape":[\(shape)],\
                "data_offsets":[\(end),\(next)]}
                """)
            end = next
        }
        let listStart = end
        if let list {
            guard ranges[list.name] == nil else { throw .duplicate(list.name) }
            end += list.bytes.count
            entries.append(
                """
                \(list.name.jsonQuoted):{"dtype":"\(IntegerFile.bytesType)","shape":[\(list.bytes.count)],\
                "data_offsets":[\(listStart),\(end)]}
                """)
        }
        let head = SafetensorsLayout.head(entries)
        missing = ranges.mapValues { head.count + $0.lowerBound..<head.count + $0.upperBound }
        try FileRoom.reserve(head.count + end, descriptor)
        try head.withUnsafeBufferPointer { head throws(SafetensorsWriteError) in
            try FileRoom.put(UnsafeRawBufferPointer(head), at: 0, descriptor)
        }
        try list?.bytes.withUnsafeBufferPointer { bytes throws(SafetensorsWriteError) in
            try FileRoom.put(UnsafeRawBufferPointer(bytes), at: head.count + listStart, descriptor)
        }
    }

    package mutating func write(_ values: [Int64], to name: String) throws(SafetensorsWriteError) {
        guard let range = missing.removeValue(forKey: name) else { throw .undeclared(name) }
        guard values.count * 8 == range.count else {
            throw .length(name, expected: range.count / 8, found: values.count)
        }
        try values.withUnsafeBufferPointer { values throws(SafetensorsWriteError) in
            try FileRoom.put(UnsafeRawBufferPointer(values), at: range.lowerBound, descriptor)
        }
    }

    /// Checks that every declared tensor was written.
    package consuming func finish() throws(SafetensorsWriteError) {
        if let name = missing.keys.min(by: { $0.precedes($1) }) { throw .missing(name) }
    }
}
