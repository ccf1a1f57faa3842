import HTTPServing

/// The query of a route that lists rounds, the newest first.
struct RoundPages {
    /// The most rounds of one answer.
    let most: Int
    /// How many where the caller does not say it.
    let usual: Int

    var query: DeclaredQuery {
        [
            .init("limit", .integer, "1 to \(most) rounds; \(usual) where absent", in: 1...most),
            .init("before", .integer, "only rounds with lower numbers", in: 1...Int.max),
        ]
    }

    /// What the request asks for.
    func asked(by request: Request) throws(ArgumentError) -> (before: Int, limit: Int) {
        (
            try request.integer("before", in: 1...Int.max) ?? Int.max,
            try request.integer("limit", in: 1...most) ?? usual
        )
    }
}
