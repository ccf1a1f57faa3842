import CVectors

/// How the numbers of a frozen weight are stored: plain, or in the blocks of GGUF. The raw values are GGUF's.
package enum StoredType: UInt32, Sendable, Hashable, CaseIterable {
    case f32 = 0
    case f16 = 1
    case q4_0 = 2
    case q4_1 = 3
    case q5_0 = 6
    case q5_1 = 7
    case q8_0 = 8
    case q2_K = 10
    case q3_K = 11
    case q4_K = 12
    case q5_K = 13
    case q6_K = 14
    case q8_K = 15
    case bf16 = 30

    /// The numbers of one block; 1 for a plain type.
    package var blockLength: Int {
        switch self {
        case .f32, .f16, .bf16: 1
        case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0: 32
        case .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .q8_K: 256
        }
    }

    /// The bytes of one block.
    package var blockBytes: Int {
        switch self {
        case .f32: 4
        case .f16, .bf16: 2
        case .q4_0: 18
        case .q4_1: 20
        case .q5_0: 22
        case .q5_1: 24
        case .q8_0: 34
        case .q2_K: 84
        case .q3_K: 110
        case .q4_K: 144
        case .q5_K: 176
        case .q6_K: 210
        case .q8_K: 292
        }
    }

    /// The bytes of a tensor of this shape; nil where they exceed the address space.
    ///
    /// - Precondition: the last size is a multiple of `blockLength`.
    func byteCount(of shape: [Int]) -> Int? {
        var bytes = blockBytes
        for (index, size) in shape.enumerated() {
            let blocks = index == shape.count - 1 ? size / blockLength : size
            let (product, overflow) = bytes.multipliedReportingOverflow(by: blocks)
            if overflow { return nil }
            bytes = product
        }
        return bytes
    }

    /// The type in the kernels.
    var blocks: blocks_type { blocks_type(rawValue: rawValue) }
}

extension StoredType: CustomStringConvertible {
    /// The type's name in the GGUF format.
    package var description: String {
        switch self {
        case .f32: "F32"
        case .f16: "F16"
        case .q4_0: "Q4_0"
        case .q4_1: "Q4_1"
        case .q5_0: "Q5_0"
        case .q5_1: "Q5_1"
        case .q8_0: "Q8_0"
        case .q2_K: "Q2_K"
        case .q3_K: "Q3_K"
        case .q4_K: "Q4_K"
        case .q5_K: "Q5_K"
        case .q6_K: "Q6_K"
        case .q8_K: "Q8_K"
        case .bf16: "BF16"
        }
    }

    /// The names of the numbers that GGUF gives to types, for errors.
    static func name(ofNumber number: UInt32) -> String {
        if let type = StoredType(rawValue: number) { return type.description }
        let others: [UInt32: String] = [
            9: "Q8_1", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S",
            23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0",
            39: "MXFP4",
        ]
        return others[number] ?? "type \(number)"
    }
}
