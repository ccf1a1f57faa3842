import StrictJSON

/// The place of every tensor in a safetensors file, decided before any number is known.
///
/// The order is that of the safetensors library: the widest type first, then by name. The header is padded with spaces
/// to a multiple of eight, so every tensor is aligned to its type.
package struct SafetensorsLayout: Sendable {
    /// A tensor to be written.
    package struct Tensor: Sendable, Hashable {
        package let name: String
        package let type: ScalarType
        package let shape: [Int]
        /// How the tensor is quantised; `type` is then unused. Tensors of fewer than two sides are never quantised.
        package let messageBits: MessageBits?

        package init(name: String, type: ScalarType, shape: [Int], messageBits: MessageBits? = nil) {
            self.name = name
            self.type = type
            self.shape = shape
            self.messageBits = shape.count < 2 ? nil : messageBits
        }

        var elementType: ElementType { messageBits == nil ? .number(type) : .packed }
    }

    /// In the order of the data.
    package let tensors: [Tensor]
    /// The length of the header in eight bytes, then the header.
    package let head: [UInt8]
    /// The length of the whole file.
    package let byteCount: Int
    private let places: [String: Place]

    struct Place {
        enum Coding {
            case number(ScalarType)
            case quantised(Quantised)
        }

        struct Quantised {
            let bits: MessageBits
            let rows: Int
            /// The numbers in a row.
            let columns: Int
            /// One Float a row; measured from the start of the file.
            let scales: Range<Int>
            /// One Float a row; measured from the start of the file.
            let minima: Range<Int>
        }

        let coding: Coding
        /// The number of numbers that the caller writes.
        let elementCount: Int
        /// Measured from the start of the file.
        let range: Range<Int>
    }

    /// - Parameter metadata: the file's metadata; quantised tensors add theirs to it.
    package init(tensors: [Tensor], metadata: [String: String] = ["format": "pt"]) throws(SafetensorsWriteError) {
        for tensor in tensors where tensor.type.byteCount(of: tensor.shape) == nil { throw .tooLarge(tensor.name) }
        let ordered = tensors.flatMap(Entry.entries).sorted {
            ElementType.inOrder(($0.type, $0.name), ($1.type, $1.name))
        }
        let metadata = metadata.merging(Self.metadata(of: tensors)) { _, own in own }
        var entries: [String] = []
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key.precedes($1.key) }
                .map { "\($0.key.jsonQuoted):\($0.value.jsonQuoted)" }
            entries.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
        }
        var ranges: [String: Range<Int>] = [:]
        var end = 0
        for entry in ordered {
            guard let bytes = entry.type.byteCount(of: entry.shape) else { throw .tooLarge(entry.name) }
            let (next, overflow) = end.addingReportingOverflow(bytes)
            guard !overflow else { throw .tooLarge(entry.name) }
            guard ranges.updateValue(end..<next, forKey: entry.name) == nil, entry.name != "__metadata__" else {
                throw .duplicate(entry.name)
            }
            let shape = entry.shape.map(String.init).joined(separator: ",")
            entries.append(
                """
                \(entry.name.jsonQuoted):{"dtype":"\(entry.type.dtype)","shape":[\(shape)],\
                "data_offsets":[\(end),\(next)]}
                """)
            end = next
        }
        let head = Self.head(entries)
        self.tensors = tensors.sorted {
            ElementType.inOrder(($0.elementType, $0.name), ($1.elementType, $1.name))
        }
        self.head = head
        byteCount = head.count + end
        func place(_ name: String) -> Range<Int> {
            let range = ranges[name] ?? 0..<0
            return head.count + range.lowerBound..<head.count + range.upperBound
        }
        places = Dictionary(
            uniqueKeysWithValues: tensors.map { tensor in
                let coding = tensor.messageBits.map { bits in
                    Place.Coding.quantised(
                        .init(
                            bits: bits, rows: tensor.shape[0], columns: MessageBits.columns(of: tensor.shape),
                            scales: place(MessageBits.nameOfScales(of: tensor.name)),
                            minima: place(MessageBits.nameOfMinima(of: tensor.name))))
                }
                return (
                    tensor.name,
                    Place(
                        coding: coding ?? .number(tensor.type), elementCount: tensor.shape.reduce(1, *),
                        range: place(tensor.name))
                )
            })
    }

    func place(of name: String) -> Place? { places[name] }

    /// The length of a header in eight bytes, then the header, padded to a multiple of eight.
    ///
    /// - Parameter entries: the members of its object, as JSON.
    static func head(_ entries: [String]) -> [UInt8] {
        var header = Array("{\(entries.joined(separator: ","))}".utf8)
        header.append(contentsOf: repeatElement(0x20, count: (8 - header.count % 8) % 8))
        let length = UInt64(header.count)
        return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + header
    }

    /// One entry of the header.
    private struct Entry {
        let name: String
        let type: ElementType
        let shape: [Int]

        static func entries(of tensor: Tensor) -> [Entry] {
            guard let bits = tensor.messageBits else {
                return [Entry(name: tensor.name, type: .number(tensor.type), shape: tensor.shape)]
            }
            let rows = [tensor.shape[0]]
            return [
                Entry(name: tensor.name, type: .packed, shape: bits.storedShape(of: tensor.shape)),
                Entry(name: MessageBits.nameOfScales(of: tensor.name), type: .number(.f32), shape: rows),
                Entry(name: MessageBits.nameOfMinima(of: tensor.name), type: .number(.f32), shape: rows),
            ]
        }
    }

    /// The bits of a file's quantised tensors, and the shapes that packing hides.
    private static func metadata(of tensors: [Tensor]) -> [String: String] {
        var metadata: [String: String] = [:]
        for tensor in tensors {
            guard let bits = tensor.messageBits else { continue }
            metadata[MessageBits.metadataKey] = String(bits.rawValue)
            if bits == .four {
                metadata[MessageBits.shapeKey(of: tensor.name)] =
                    tensor.shape.map(String.init).joined(separator: ",")
            }
        }
        return metadata
    }
}
