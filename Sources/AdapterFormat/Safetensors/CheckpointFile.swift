/// A model's safetensors file: where each tensor lies, whatever its type, so that it can be copied unchanged.
package struct CheckpointFile: Sendable {
    package struct Tensor: Sendable, Hashable {
        package let name: String
        /// The type's name in the header.
        package let dtype: String
        package let shape: [Int]
        /// Measured from the start of the file.
        package let range: Range<Int>

        /// The type of its numbers; nil for a type that Rankwise does not read.
        package var type: ScalarType? { ScalarType(rawValue: dtype) }
        package var byteCount: Int { range.count }
    }

    /// In the order of the data.
    package let tensors: [Tensor]
    let metadata: [String: String]
    let dataStart: Int
    let storage: TensorStorage
    private let positions: [String: Int]

    /// Maps the file and checks that its tensors cover it without gaps or overlaps.
    package init(path: String) throws(SafetensorsError) {
        let storage: TensorStorage
        do throws(SystemError) { storage = try TensorStorage(mapping: path) } catch { throw .unreadable(error) }
        try self.init(storage)
    }

    package init(_ storage: TensorStorage) throws(SafetensorsError) {
        let header = try storage.withBytes { bytes throws(SafetensorsError) in
            try SafetensorsHeader(start: bytes, byteCount: bytes.count, limits: .init(), passesOver: true)
        }
        func place(_ range: Range<Int>) -> Range<Int> {
            header.dataStart + range.lowerBound..<header.dataStart + range.upperBound
        }
        let read = header.entries.map {
            Tensor(name: $0.name, dtype: $0.type.dtype, shape: $0.shape, range: place($0.range))
        }
        let others = header.passedOver.map {
            Tensor(name: $0.name, dtype: $0.dtype, shape: $0.shape, range: place($0.range))
        }
        tensors = (read + others).sorted {
            ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
        }
        metadata = header.metadata
        dataStart = header.dataStart
        self.storage = storage
        positions = Dictionary(uniqueKeysWithValues: tensors.enumerated().map { ($1.name, $0) })
    }

    package subscript(name: String) -> Tensor? { positions[name].map { tensors[$0] } }

    /// The numbers of a tensor; nil where there is no such name, or its type is not read.
    package func view(of name: String) -> TensorView? {
        guard let tensor = self[name], let type = tensor.type else { return nil }
        return TensorView(name: name, type: type, shape: tensor.shape, storage: storage, range: tensor.range)
    }
}
