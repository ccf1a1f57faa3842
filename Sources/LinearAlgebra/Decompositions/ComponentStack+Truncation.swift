extension ComponentStack {
    /// A singular value up to this share of the largest does not count: float32 data cannot tell it from zero, and even a
    /// thousand such components together stay below 1e-5 of the product.
    private static let negligible = 1e-7

    /// The best approximation of rank `rank`; O((outputs + inputs)·Q² + Q³) while Q is below both dimensions.
    ///
    /// A basis of the leading right singular vectors comes from float64 Gram matrices, which square the singular values
    /// and so blur those below 1e-7 of the largest. What is published rests on the stack itself: the basis is made
    /// orthonormal, the stack projected onto it, and the projection decomposed. Where components cancel each other to
    /// below 1e-6 of their own size, the basis blurs all the same; the factors' rounding to float32 is then as large.
    /// In each row of `right` the entry of largest magnitude is positive.
    /// - Throws: `notFinite` and `beyondFloat` for what the factors hold, the other cases where LAPACK gives up.
    /// - Precondition: `rank` is positive.
    package func truncated(toRank rank: Int) throws(DecompositionError) -> TruncatedProduct {
        precondition(rank > 0, "an approximation of rank \(rank)")
        let count = min(rank, self.rank, outputs, inputs)
        let basis =
            self.rank < min(outputs, inputs)
            ? try SingularBasis.throughCore(of: self, count: count)
            : try SingularBasis.throughSide(of: self, count: count)
        guard let basis else { return TruncatedProduct(rank: rank, of: self, singularValues: [], count: count) }
        try basis.orthonormalizeColumns()
        // P·V (outputs × k) and its own decomposition U·Σ·Wᵀ: P·V·Vᵀ = (U·Σ)·(V·W)ᵀ.
        let image = FactorPanels(factor: left).combined(by: FactorPanels(factor: right).projected(onto: basis))
        let (values, turn) = try image.decomposeInPlace()
        var product = TruncatedProduct(rank: rank, of: self, singularValues: values, count: count)
        guard let largest = values.first, largest > 0 else { return product }
        let vectors = basis.multiplied(by: turn, .transposed)
        for (index, value) in values.enumerated() where value > Self.negligible * largest {
            try product.append(left: image.column(index), times: value, right: vectors.column(index))
        }
        return product
    }
}
