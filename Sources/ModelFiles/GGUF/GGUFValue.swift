import AdapterFormat

/// A value of a GGUF file's metadata.
package enum GGUFValue: Sendable {
    case integer(Int)
    /// Above the largest `Int`.
    case large(UInt64)
    case real(Double)
    case truth(Bool)
    case text(String)
    case array(GGUFArray)

    /// What the value is, for errors.
    package var summary: String {
        switch self {
        case .integer(let value): "\(value)"
        case .large(let value): "\(value)"
        case .real(let value): "\(value)"
        case .truth(let value): "\(value)"
        case .text(let value): value.utf8.count <= 60 ? "\"\(value)\"" : "a string of \(value.utf8.count) bytes"
        case .array(let value): "an array of \(value.count)"
        }
    }
}

/// The type of a value; the raw values are GGUF's.
package enum GGUFElement: UInt32, Sendable, Hashable {
    case uint8 = 0
    case int8
    case uint16
    case int16
    case uint32
    case int32
    case float32
    case truth
    case text
    case array
    case uint64
    case int64
    case float64

    /// The bytes of a value; nil for texts and arrays.
    var byteCount: Int? {
        switch self {
        case .uint8, .int8, .truth: 1
        case .uint16, .int16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64: 8
        case .text, .array: nil
        }
    }
}

/// An array of the metadata, such as the tokens of a vocabulary, which stays in the mapped file until it is read.
package struct GGUFArray: Sendable {
    package let element: GGUFElement
    package let count: Int
    let storage: TensorStorage
    /// Of the elements, checked when the file was opened.
    let range: Range<Int>

    /// All strings, as bytes; nil where the elements are no strings.
    package func texts() -> [[UInt8]]? {
        guard element == .text else { return nil }
        return storage.withBytes { bytes in
            var offset = range.lowerBound
            return (0..<count).map { _ in
                let length = Int(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
                defer { offset += 8 + length }
                return [UInt8](bytes[offset + 8..<offset + 8 + length])
            }
        }
    }

    /// All whole numbers; nil where the elements are none.
    package func integers() -> [Int]? {
        guard element != .float32, element != .float64, element != .truth, element.byteCount != nil else { return nil }
        let values = elements()
        let integers = values.compactMap { value in if case .integer(let integer) = value { integer } else { nil } }
        return integers.count == count ? integers : nil
    }

    /// All numbers; nil where the elements are none.
    package func reals() -> [Float]? {
        guard element == .float32 || element == .float64 else { return nil }
        return elements().map { value in if case .real(let real) = value { Float(real) } else { 0 } }
    }

    /// - Precondition: the elements have a fixed size.
    private func elements() -> [GGUFValue] {
        storage.withBytes { bytes in
            (0..<count).map { GGUFValue(element, bytes, range.lowerBound + $0 * (element.byteCount ?? 0)) }
        }
    }
}

extension GGUFValue {
    /// A number, or a truth value that is known to be 0 or 1.
    ///
    /// - Precondition: the element has a fixed size, and its bytes are there.
    init(_ element: GGUFElement, _ bytes: UnsafeRawBufferPointer, _ offset: Int) {
        func load<Number: FixedWidthInteger & BitwiseCopyable>(_: Number.Type) -> Number {
            Number(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Number.self))
        }
        switch element {
        case .uint8: self = .integer(Int(bytes[offset]))
        case .int8: self = .integer(Int(load(Int8.self)))
        case .uint16: self = .integer(Int(load(UInt16.self)))
        case .int16: self = .integer(Int(load(Int16.self)))
        case .uint32: self = .integer(Int(load(UInt32.self)))
        case .int32: self = .integer(Int(load(Int32.self)))
        case .uint64:
            let value = load(UInt64.self)
            self = Int(exactly: value).map(GGUFValue.integer) ?? .large(value)
        case .int64: self = .integer(Int(load(Int64.self)))
        case .float32: self = .real(Double(Float(bitPattern: load(UInt32.self))))
        case .float64: self = .real(Double(bitPattern: load(UInt64.self)))
        case .truth: self = .truth(bytes[offset] != 0)
        case .text, .array: preconditionFailure("an element without a fixed size")
        }
    }
}
