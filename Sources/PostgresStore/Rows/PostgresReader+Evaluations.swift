import Federation
import StoredRows

/// Reads evaluations.
extension PostgresReader {
    /// What a federation's newest evaluation has that was written after a step.
    func evaluationStatements(after step: Int64) -> [PostgresStatement] {
        [
            PostgresStatement(
                "SELECT * FROM evaluations WHERE federation = $1 ORDER BY round DESC LIMIT 1", [key]),
            // An evaluation that is new to the caller has only rows that are new too. For the sum, see
            // `roundStatements`.
            PostgresStatement(
                """
                SELECT * FROM evaluation_places WHERE federation = $1 AND step > $2
                  AND round + 0 = (SELECT max(round) FROM evaluations WHERE federation = $1)
                """, [key, step]),
        ]
    }

    /// - Parameters:
    ///   - results: those of `evaluationStatements`.
    ///   - known: the newest evaluation at the step after which the rows were read.
    static func evaluation(
        _ results: ArraySlice<PostgresResult>, after known: EvaluationRound?
    ) throws -> EvaluationRound? {
        let results = Array(results)
        guard results.count == 2, let row = results[0].first else { return known }
        let round: Int = try row.value("round")
        var places = known?.round == round ? known?.places ?? ClientTable() : ClientTable()
        for row in results[1].rows { places[try row.text("client")] = try EvaluationRound.Place(row) }
        return try EvaluationRound(row, places: places)
    }

    func newestEvaluation() throws -> EvaluationRound? {
        try Self.evaluation(try connection.run(evaluationStatements(after: 0))[...], after: nil)
    }

    func evaluation(ofRound round: Int) throws -> EvaluationRound? {
        guard
            let row = try rows("SELECT * FROM evaluations WHERE federation = $1 AND round = $2", round).first
        else { return nil }
        let places = try rows("SELECT * FROM evaluation_places WHERE federation = $1 AND round = $2", round)
        return try EvaluationRound(
            row,
            places: ClientTable(
                try places.map { (try $0.text("client", as: ClientName.self), try EvaluationRound.Place($0)) }))
    }

    /// Without places.
    func evaluations(ofRounds rounds: ClosedRange<Int>) throws -> [ListedEvaluation] {
        try rows(
            "SELECT * FROM evaluations WHERE federation = $1 AND round BETWEEN $2 AND $3 ORDER BY round",
            rounds.lowerBound, rounds.upperBound
        ).map { try ListedEvaluation($0) }
    }
}
