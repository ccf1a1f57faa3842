/// A safetensors file that is checked as a whole when it is opened, and read tensor by tensor.
///
/// The format: eight bytes with the length of the header, the header (a JSON object of names), the data. The tensors
/// must cover the data without gaps or overlaps. (https://huggingface.co/docs/safetensors)
package struct SafetensorsFile: Sendable {
    /// The largest sizes that a reader accepts, so that a file cannot make it hold more than a multiple of these.
    package struct Limits: Sendable, Hashable {
        package var headerBytes: Int
        package var tensors: Int

        package init(headerBytes: Int = 100_000_000, tensors: Int = 65_536) {
            self.headerBytes = headerBytes
            self.tensors = tensors
        }
    }

    /// In the order of the data. The scales and minima of quantised tensors are parts of these, not tensors here.
    package let tensors: [TensorView]
    package let metadata: [String: String]
    private let positions: [String: Int]

    /// Maps the file and checks it.
    ///
    /// - Parameter passesOver: whether to skip tensors of types that adapters do not use, such as the indices in a base
    ///   model, instead of refusing them.
    package init(path: String, limits: Limits = Limits(), passesOver: Bool = false) throws(SafetensorsError) {
        let storage: TensorStorage
        do throws(SystemError) { storage = try TensorStorage(mapping: path) } catch { throw .unreadable(error) }
        try self.init(storage, limits: limits, passesOver: passesOver)
    }

    /// Checks bytes in memory and keeps a copy.
    package init(bytes: [UInt8], limits: Limits = Limits()) throws(SafetensorsError) {
        try self.init(bytes.withUnsafeBytes { TensorStorage(copying: $0) }, limits: limits)
    }

    package init(
        _ storage: TensorStorage, limits: Limits = Limits(), passesOver: Bool = false
    ) throws(SafetensorsError) {
        let header = try storage.withBytes { bytes throws(SafetensorsError) in
            try SafetensorsHeader(start: bytes, byteCount: bytes.count, limits: limits, passesOver: passesOver)
        }
        metadata = header.metadata
        tensors = try QuantisedTensors(header, in: storage).views()
        positions = Dictionary(uniqueKeysWithValues: tensors.enumerated().map { ($1.name, $0) })
    }

    package subscript(name: String) -> TensorView? {
        positions[name].map { tensors[$0] }
    }
}
