import LinearAlgebra

extension MatrixProduct {
    /// The floating-point operations of an (m × k) times a (k × n) matrix.
    static func operations(_ m: Int, _ k: Int, _ n: Int) -> Double { 2 * Double(m) * Double(k) * Double(n) }
}
