/// A type of the safetensors format that adapters use.
enum ElementType: Sendable, Hashable {
    case number(ScalarType)
    /// U8; in adapters only the bytes of a quantised tensor.
    case packed

    init?(dtype: String) {
        if let type = ScalarType(rawValue: dtype) {
            self = .number(type)
        } else if dtype == "U8" {
            self = .packed
        } else {
            return nil
        }
    }

    var dtype: String {
        switch self {
        case .number(let type): type.rawValue
        case .packed: "U8"
        }
    }

    var byteCount: Int {
        switch self {
        case .number(let type): type.byteCount
        case .packed: 1
        }
    }

    /// The order of a safetensors file: from the widest type to the narrowest, then by name.
    static func inOrder(_ first: (type: ElementType, name: String), _ second: (type: ElementType, name: String)) -> Bool
    {
        first.type == second.type ? first.name.precedes(second.name) : first.type.fileOrder < second.type.fileOrder
    }

    private var fileOrder: Int {
        switch self {
        case .number(.f64): 0
        case .number(.f32): 1
        case .number(.bf16): 2
        case .number(.f16): 3
        case .packed: 4
        }
    }

    /// The types of the safetensors format that adapters do not use.
    static let knownElsewhere: Set<String> = [
        "BOOL", "F4", "F6_E2M3", "F6_E3M2", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ",
        "I16", "U16", "I32", "U32", "C64", "I64", "U64",
    ]

    /// The bytes of a tensor of this shape; nil where they exceed the address space.
    func byteCount(of shape: [Int]) -> Int? {
        // The product of the sizes that are not zero bounds every partial product. So its overflow is refused even
        // where another size is zero.
        var bytes = byteCount
        for size in shape where size != 0 {
            let (product, overflow) = bytes.multipliedReportingOverflow(by: size)
            if overflow { return nil }
            bytes = product
        }
        return shape.contains(0) ? 0 : bytes
    }
}

extension ScalarType {
    /// The bytes of a tensor of this shape; nil where they exceed the address space.
    func byteCount(of shape: [Int]) -> Int? { ElementType.number(self).byteCount(of: shape) }
}
