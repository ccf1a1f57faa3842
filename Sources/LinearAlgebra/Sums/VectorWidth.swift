import CVectors

/// The vectors that kernels add with; the sums are the same, byte for byte.
package enum VectorWidth: Sendable {
    /// Those that every processor of the architecture has, which are all that the compiler uses.
    case baseline
    /// AVX2's eight floats.
    case eight

    /// Those of this processor, the widest last.
    package static let available: [VectorWidth] = vectors_are_available() ? [.baseline, .eight] : [.baseline]

    package static let widest = available.last ?? .baseline
}

extension StoredReal {
    /// What the kernels of eight floats call the storage; nil where they do not load it.
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
