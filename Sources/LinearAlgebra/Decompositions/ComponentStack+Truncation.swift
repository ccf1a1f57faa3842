extension ComponentStack {
    /// A singular value up to this share of the largest counts as zero: float32 data cannot tell it from zero. Even a
    /// thousand such components together stay below 1e-5 of the product.
    private static let negligible = 1e-7

    /// The best approximation of rank `rank`; O((outputs + inputs)·Q² + Q³) while Q is below both dimensions.
    ///
    /// Float64 Gram matrices give a basis of the leading right singular vectors. They square the singular values and so
    /// lose those below 1e-7 of the largest. The result is computed from the stack itself: the basis is
    /// orthonormalised, the stack is projected onto it, and the projection is decomposed. Where components cancel each
    /// other to below 1e-6 of their own size, the basis is still inaccurate; the factors' rounding to float32 then has
    /// the same size. In each row of `right` the entry of largest magnitude is positive.
    /// - Throws: `notFinite` and `beyondFloat` for the factors' contents, the other cases where LAPACK fails.
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
