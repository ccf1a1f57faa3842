/// Where every tensor of a safetensors file lies, decided before any number is known.
///
/// The order is that of the safetensors library: the widest type first, then by name; the header is padded with spaces
/// to a multiple of eight, so every tensor is aligned to its type.
package struct SafetensorsLayout: Sendable {
    /// What is to be written under a name.
    package struct Tensor: Sendable, Hashable {
        package let name: String
        package let type: ScalarType
        package let shape: [Int]

        package init(name: String, type: ScalarType, shape: [Int]) {
            self.name = name
            self.type = type
            self.shape = shape
        }
    }

    /// In the order of the data.
    package let tensors: [Tensor]
    /// The length of the header in eight bytes, then the header.
    package let head: [UInt8]
    /// Of the whole file.
    package let byteCount: Int
    private let places: [String: Place]

    struct Place {
        let type: ScalarType
        /// Counted from the start of the file.
        let range: Range<Int>
    }

    package init(tensors: [Tensor], metadata: [String: String] = ["format": "pt"]) throws(SafetensorsWriteError) {
        let ordered = tensors.sorted {
            $0.type == $1.type ? $0.name.precedes($1.name) : $0.type.fileOrder < $1.type.fileOrder
        }
        var entries: [String] = []
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key.precedes($1.key) }
                .map { "\($0.key.jsonQuoted):\($0.value.jsonQuoted)" }
            entries.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
        }
        var ranges: [(tensor: Tensor, range: Range<Int>)] = []
        var end = 0
        for tensor in ordered {
            guard let bytes = tensor.type.byteCount(of: tensor.shape) else {
                throw .tooLarge(tensor.name)
            }
            let (next, overflow) = end.addingReportingOverflow(bytes)
            guard !overflow else { throw .tooLarge(tensor.name) }
            ranges.append((tensor, end..<next))
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            entries.append(
                """
                \(tensor.name.jsonQuoted):{"dtype":"\(tensor.type.rawValue)","shape":[\(shape)],\
                "data_offsets":[\(end),\(next)]}
                """)
            end = next
        }
        var header = Array("{\(entries.joined(separator: ","))}".utf8)
        header.append(contentsOf: repeatElement(0x20, count: (8 - header.count % 8) % 8))
        let length = UInt64(header.count)
        let head = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + header
        var places: [String: Place] = [:]
        for (tensor, range) in ranges {
            let place = Place(type: tensor.type, range: head.count + range.lowerBound..<head.count + range.upperBound)
            guard places.updateValue(place, forKey: tensor.name) == nil, tensor.name != "__metadata__" else {
                throw .duplicate(tensor.name)
            }
        }
        self.tensors = ordered
        self.head = head
        self.places = places
        byteCount = head.count + end
    }

    func place(of name: String) -> Place? { places[name] }
}
