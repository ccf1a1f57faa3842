import Federation
import GRDB
import StoredRows

/// Reads evaluations.
extension FederationReader {
    /// The newest evaluation, with its places.
    func newestEvaluation() throws -> EvaluationRound? {
        try rows("SELECT * FROM evaluations WHERE federation = ? ORDER BY round DESC LIMIT 1") {
            try evaluation(from: $0)
        }.first
    }

    func evaluation(ofRound round: Int) throws -> EvaluationRound? {
        try rows("SELECT * FROM evaluations WHERE federation = ? AND round = ?", round) {
            try evaluation(from: $0)
        }.first
    }

    /// Without places.
    func evaluations(ofRounds rounds: ClosedRange<Int>) throws -> [ListedEvaluation] {
        try rows(
            "SELECT * FROM evaluations WHERE federation = ? AND round BETWEEN ? AND ? ORDER BY round",
            rounds.lowerBound, rounds.upperBound
        ) { try ListedEvaluation($0) }
    }

    private func evaluation(from row: Row) throws -> EvaluationRound {
        let places = try rows(
            "SELECT * FROM evaluation_places WHERE federation = ? AND round = ?", try row.value("round") as Int
        ) { row in (try row.text("client", as: ClientName.self), try EvaluationRound.Place(row)) }
        return try EvaluationRound(row, places: ClientTable(places))
    }
}
