/// What weights and robust rules need of all updates of a round, each by a pass of its own over the updates.
struct CohortMeasures {
    let norms: UpdateNorms
    let earlier: EarlierAdapter

    /// ‖s_k·B_k·A_k‖_F of every member, of which only these shares of the steps from the last adapter count.
    func norms(of members: [Cohort.Member], stepShares: [Double]) throws -> [Double] {
        try norms.norms(of: members, after: earlier, stepShares: stepShares)
    }

    /// The length of every member's step from the last adapter.
    func steps(of members: [Cohort.Member]) throws -> [Double] {
        try ClipSteps(shape: norms.shape, scaling: norms.scaling, factors: norms.factors, threads: norms.threads)
            .norms(of: members, after: earlier)
    }

    /// The inner products of all members' products.
    func pairs(of members: [Cohort.Member], isCut: Bool) throws -> UpdatePairs {
        try ProductPairs(
            shape: norms.shape, scaling: norms.scaling, factors: norms.factors, isCut: isCut, threads: norms.threads
        ).pairs(of: members, after: earlier)
    }
}
