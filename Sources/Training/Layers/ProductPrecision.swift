import LinearAlgebra

/// What the products by a frozen model's matrices are computed in. Sums, activations, adapters and their gradients are floats
/// with both.
package enum ProductPrecision: String, Sendable, CaseIterable {
    case float32
    /// The factors are rounded to bfloat16. It is faster on processors that have AVX-512 BF16, and not offered on others.
    case bfloat16

    /// Whether this processor computes it.
    package var isAvailable: Bool { self == .float32 || RoundedProduct.isAvailable }
}
