/// Finds vectors that span the leading right singular vectors of a stack; they are not orthonormal yet.
enum SingularBasis {
    /// Through the Q × Q core: for a stack whose rank is below both dimensions. Nil where the stack is zero.
    ///
    /// With right·rightᵀ = C·Cᵀ, the squares of the singular values are the eigenvalues of Cᵀ·(left·leftᵀ)·C. The
    /// Cholesky factor is pivoted, so dependent components of clients that agree only make it narrower.
    static func throughCore(of stack: ComponentStack, count: Int) throws(DecompositionError) -> DoubleMatrix? {
        let panels = FactorPanels(factor: stack.right)
        let (ofRight, ofLeft) = (panels.gram(), FactorPanels(factor: stack.left).gram())
        guard let scales = try balance(ofLeft, ofRight) else { return nil }

        let (rank, order) = try ofRight.factorizeCholesky()
        let permuted = ofLeft.permutedSymmetrically(order)
        let core = try permuted.congruent(byLowerTriangle: ofRight, size: rank)
        let top = try SymmetricEigenvectors(consuming: core, count: min(count, rank)).vectors

        // U·Σ = leftᵀ·X with X = C·W, so V·Σ² = rightᵀ·(left·leftᵀ)·X; only the directions matter here.
        let inner = permuted.multiplied(by: ofRight.lowerTriangle(multipliedBy: top))
        let coefficients = DoubleMatrix(rows: stack.rank, columns: top.columns)
        for column in 0..<top.columns {
            for (place, component) in order.enumerated() where scales[component] != 0 {
                coefficients[component, column] = inner[place, column] / scales[component]
            }
        }
        return panels.combined(by: coefficients)
    }

    /// Through the smaller dimension: for a stack whose rank reaches it. Nil where the stack is zero.
    ///
    /// The squares of the singular values are the eigenvalues of P·Pᵀ or Pᵀ·P, whichever is smaller. P is formed one
    /// panel at a time.
    static func throughSide(of stack: ComponentStack, count: Int) throws(DecompositionError) -> DoubleMatrix? {
        let (left, right) = (FactorPanels(factor: stack.left), FactorPanels(factor: stack.right))
        let inputsAreFewer = stack.inputs <= stack.outputs
        let square = inputsAreFewer ? left.gram(ofProductWith: right) : right.gram(ofProductWith: left)
        guard try square.largestOnDiagonal() > 0 else { return nil }
        let top = try SymmetricEigenvectors(consuming: square, count: count).vectors
        return inputsAreFewer ? top : right.combined(by: left.projected(onto: top))
    }

    /// Scales each component so that its two vectors have about the same norm, which leaves the product as it is.
    ///
    /// A component with a long left and a short right vector would otherwise be lost to rounding. Powers of two are exact.
    /// - Returns: what each left was multiplied with and each right divided by, 0 for a component that is zero; nil
    ///   where all are.
    private static func balance(_ ofLeft: DoubleMatrix, _ ofRight: DoubleMatrix) throws(DecompositionError) -> [Double]?
    {
        guard try ofLeft.largestOnDiagonal() > 0, try ofRight.largestOnDiagonal() > 0 else { return nil }
        let scales = (0..<ofLeft.rows).map { index in
            let (left, right) = (ofLeft[index, index], ofRight[index, index])
            guard left > 0, right > 0 else { return 0.0 }
            return Double(sign: .plus, exponent: (right.exponent - left.exponent) / 4, significand: 1)
        }
        guard scales.contains(where: { $0 != 0 }) else { return nil }
        for column in scales.indices {
            for row in scales.indices {
                let scale = scales[row] * scales[column]
                ofLeft[row, column] *= scale
                ofRight[row, column] = scale == 0 ? 0 : ofRight[row, column] / scale
            }
        }
        return scales
    }
}
