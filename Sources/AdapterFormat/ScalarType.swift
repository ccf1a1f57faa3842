/// How one number of a tensor is stored: the types that travel in adapters.
package enum ScalarType: String, Sendable, Hashable, CaseIterable {
    case f64 = "F64"
    case f32 = "F32"
    case f16 = "F16"
    case bf16 = "BF16"

    package var byteCount: Int {
        switch self {
        case .f64: 8
        case .f32: 4
        case .f16, .bf16: 2
        }
    }

    /// Whether Rankwise publishes adapters in this type; F64 is only read.
    package var isPublishable: Bool { self != .f64 }

    /// The place of the type in a safetensors file, whose data runs from the widest type to the narrowest.
    var fileOrder: Int {
        switch self {
        case .f64: 0
        case .f32: 1
        case .bf16: 2
        case .f16: 3
        }
    }

    /// The types that the safetensors format knows and adapters do not use.
    static let knownElsewhere: Set<String> = [
        "BOOL", "F4", "F6_E2M3", "F6_E3M2", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ",
        "I16", "U16", "I32", "U32", "C64", "I64", "U64",
    ]
}
