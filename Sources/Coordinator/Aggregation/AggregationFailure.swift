import Federation

/// Why a round cannot be aggregated.
enum AggregationFailure: Error {
    /// The round can never be published.
    case hopeless(String)
    /// A later attempt may succeed.
    case passing(String)
    /// What workers have added cannot be read; a later attempt adds it again.
    case unusableParts(String)
    /// These clients have to send their updates again.
    case lost([ClientName: String])
}
