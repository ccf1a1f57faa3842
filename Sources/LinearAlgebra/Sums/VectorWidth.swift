import CVectors

/// The vectors that kernels use for sums. All widths give the same bytes.
package enum VectorWidth: Sendable {
    /// The vectors of every processor of the architecture; the compiler uses only these.
    case baseline
    /// AVX2's eight floats.
    case eight

    /// The widths of this processor, the widest last.
    package static let available: [VectorWidth] = vectors_are_available() ? [.baseline, .eight] : [.baseline]

    package static let widest = available.last ?? .baseline
}

extension StoredReal {
    /// The storage's name in the kernels of eight floats; nil where they do not support it.
    func wide(_ width: VectorWidth) -> vectors_storage? {
        guard width == .eight else { return nil }
        switch self {
        case .float32: return vectors_float32
        case .float16: return vectors_float16
        case .bfloat16: return vectors_bfloat16
        case .float64, .quantised8, .quantised4: return nil
        }
    }
}
