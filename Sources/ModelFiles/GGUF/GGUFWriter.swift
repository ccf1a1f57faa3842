package import AdapterFormat
import Glibc

/// Writes a GGUF file of version 3 tensor by tensor, in the order in which they are declared.
package struct GGUFWriter: ~Copyable {
    package struct Tensor: Sendable {
        let name: String
        /// The slowest side first.
        let shape: [Int]
        let type: StoredType

        package init(name: String, shape: [Int], type: StoredType) {
            self.name = name
            self.shape = shape
            self.type = type
        }
    }

    /// The metadata: a number of keys, and their bytes as they stand in a file.
    package struct Keys: Sendable {
        private(set) var count = 0
        private(set) var bytes: [UInt8] = []

        package init() {}

        /// Those of a file as they are.
        package init(of file: GGUFFile) {
            count = file.metadata.count
            bytes = file.storage.withBytes { Array($0[file.keys]) }
        }

        package mutating func add(_ key: String, _ value: String) {
            begin(key, .text)
            append(text: value)
        }

        package mutating func add(_ key: String, _ value: Float) {
            begin(key, .float32)
            append(value.bitPattern)
        }

        private mutating func begin(_ key: String, _ type: GGUFElement) {
            count += 1
            append(text: key)
            append(type.rawValue)
        }

        private mutating func append(text: String) {
            append(UInt64(text.utf8.count))
            bytes += text.utf8
        }

        private mutating func append(_ number: some FixedWidthInteger) { bytes += GGUFWriter.bytes(number) }
    }

    private let descriptor: Int32
    private let alignment: Int
    private let tensors: [Tensor]
    private var written = 0
    private var offset: Int

    /// Writes the header.
    ///
    /// - Parameters:
    ///   - alignment: what the metadata say, 32 where they say nothing.
    ///   - descriptor: an empty file, open for writing; the caller syncs and closes it.
    /// - Precondition: every row is of whole blocks.
    package init(
        _ keys: Keys, _ tensors: [Tensor], alignment: Int = 32, descriptor: Int32
    ) throws(SystemError) {
        self.descriptor = descriptor
        self.alignment = alignment
        self.tensors = tensors
        var head = Array("GGUF".utf8) + Self.bytes(UInt32(3)) + Self.bytes(UInt64(tensors.count))
        head += Self.bytes(UInt64(keys.count)) + keys.bytes
        var place = 0
        for tensor in tensors {
            head += Self.bytes(UInt64(tensor.name.utf8.count)) + Array(tensor.name.utf8)
            head += Self.bytes(UInt32(tensor.shape.count))
            for side in tensor.shape.reversed() { head += Self.bytes(UInt64(side)) }
            head += Self.bytes(tensor.type.rawValue) + Self.bytes(UInt64(place))
            guard let count = tensor.type.byteCount(of: tensor.shape) else {
                preconditionFailure("\(tensor.name) has no whole blocks")
            }
            place += (count + alignment - 1) / alignment * alignment
        }
        head += Array(repeating: 0, count: (alignment - head.count % alignment) % alignment)
        offset = 0
        try head.withUnsafeBufferPointer { numbers throws(SystemError) in
            try put(UnsafeRawBufferPointer(numbers))
        }
    }

    /// Writes the next tensor in numbers, which are rounded to its type.
    ///
    /// - Precondition: its type is plain, and there are as many numbers as it has.
    package mutating func write(_ values: [Float]) throws(SystemError) {
        let encoded: [UInt8]
        switch tensors[written].type {
        case .f32: encoded = values.withUnsafeBytes { Array($0) }
        case .f16: encoded = values.map { Float16($0).bitPattern }.withUnsafeBytes { Array($0) }
        case .bf16:
            // To the nearest, and of two to the even one.
            encoded = values.map { value -> UInt16 in
                let bits = value.bitPattern
                return value.isNaN ? 0x7FC0 : UInt16(truncatingIfNeeded: (bits + 0x7FFF + (bits >> 16 & 1)) >> 16)
            }.withUnsafeBytes { Array($0) }
        default: preconditionFailure("\(tensors[written].name) is of \(tensors[written].type)")
        }
        try encoded.withUnsafeBufferPointer { numbers throws(SystemError) in
            try write(bytes: UnsafeRawBufferPointer(numbers))
        }
    }

    /// Writes the next tensor's bytes as they are.
    ///
    /// - Precondition: there are as many as it has.
    package mutating func write(bytes: UnsafeRawBufferPointer) throws(SystemError) {
        let tensor = tensors[written]
        precondition(bytes.count == tensor.type.byteCount(of: tensor.shape), "\(bytes.count) bytes for \(tensor.name)")
        written += 1
        try put(bytes)
        let rest = [UInt8](repeating: 0, count: (alignment - offset % alignment) % alignment)
        try rest.withUnsafeBufferPointer { numbers throws(SystemError) in
            try put(UnsafeRawBufferPointer(numbers))
        }
    }

    /// - Precondition: every tensor was written.
    package consuming func finish() { precondition(written == tensors.count, "\(written) of \(tensors.count) tensors") }

    private mutating func put(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
            guard count >= 0 || errno == EINTR else { throw .last("write") }
            if count > 0 { rest = UnsafeRawBufferPointer(rebasing: rest[count...]) }
        }
        offset += bytes.count
    }

    private static func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: number.littleEndian) { Array($0) }
    }
}
