/// (E·Gᵀ·(G·Gᵀ + λI)⁻¹)ᵀ (R × outputs), one component a row: the change of the left factor beside `g` that best adds E
/// to the product, under a ridge penalty λ (LoRA-FAIR, arXiv 2411.14961, in closed form).
///
/// Computed in float64 from the eigenvectors of G·Gᵀ. Where λ is zero and G's rows are dependent, the result is the
/// shortest such change. O((outputs + inputs)·Q·R).
/// - Parameters:
///   - stack: E (outputs × inputs) as components.
///   - g: G (R × inputs).
///   - ridge: λ, not negative.
package func ridgeCorrection(
    of stack: ComponentStack, along g: MatrixView, ridge: Double
) throws(DecompositionError) -> [Float] {
    precondition(g.columns == stack.inputs, "a factor of \(g.columns) inputs beside a stack of \(stack.inputs)")
    let factor = FactorPanels(factor: g)
    let gram = factor.gram()
    guard try gram.largestOnDiagonal() > 0 else { return Array(repeating: 0, count: g.rows * stack.outputs) }
    let pairs = try SymmetricEigenvectors(consuming: gram, count: g.rows)

    // Eᵀ seen from G: right·Gᵀ (Q × R), rotated to the eigenvectors' basis, divided, and rotated back.
    let seen = FactorPanels(factor: stack.right).projected(onto: factor.whole())
    let rotated = seen.multiplied(by: pairs.vectors)
    // An eigenvalue below this is rounding.
    let floor = pairs.values[0] * Double(g.rows) * .ulpOfOne
    for (index, value) in pairs.values.enumerated() {
        let divisor = max(value, 0) + ridge
        for row in 0..<rotated.rows { rotated[row, index] = divisor > floor ? rotated[row, index] / divisor : 0 }
    }
    let coefficients = rotated.multiplied(by: pairs.vectors, .transposed)
    let correction = FactorPanels(factor: stack.left).combined(by: coefficients)
    return try correction.floats()
}
