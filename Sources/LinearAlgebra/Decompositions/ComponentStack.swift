/// A matrix P = Σ_i left_i ⊗ right_i (outputs × inputs) as a sum of rank components; P itself is never formed.
package struct ComponentStack {
    /// Q × outputs: the columns of the left factor.
    package let left: MatrixView
    /// Q × inputs: the rows of the right factor.
    package let right: MatrixView

    /// - Precondition: both factors have the same number of components.
    package init(left: MatrixView, right: MatrixView) {
        precondition(left.rows == right.rows, "\(left.rows) components on the left, \(right.rows) on the right")
        self.left = left
        self.right = right
    }

    /// Q, the number of components.
    package var rank: Int { left.rows }
    package var outputs: Int { left.columns }
    package var inputs: Int { right.columns }

    /// ‖P‖_F = sqrt(Σ (left·leftᵀ) ∘ (right·rightᵀ)), in float64. O((outputs + inputs)·Q²).
    ///
    /// Where components cancel each other, the error is up to 1e-8 of the norm that they would have without
    /// cancellation. The result is not finite where a factor is not.
    package func frobeniusNorm() -> Double {
        let (ofLeft, ofRight) = (FactorPanels(factor: left).gram(), FactorPanels(factor: right).gram())
        var sum = 0.0
        for index in 0..<rank * rank { sum += ofLeft.base[index] * ofRight.base[index] }
        // Rounding may give a slightly negative result for a product that is zero.
        return max(sum, 0).squareRoot()
    }
}
