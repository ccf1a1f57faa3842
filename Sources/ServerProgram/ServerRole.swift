/// What a server does of the work.
enum ServerRole: String, CaseIterable {
    /// Answers calls, and leaves rounds to workers.
    case serve
    /// Aggregates rounds and answers no calls.
    case work
    case both

    var serves: Bool { self != .work }
    var works: Bool { self != .serve }
}
