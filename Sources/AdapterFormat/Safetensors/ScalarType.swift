/// How one number of a tensor is stored: the types that adapters use.
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
}
