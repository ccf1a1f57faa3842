import Federation
import StoredRows

/// Writes evaluations.
extension PostgresWriter {
    /// Stores the evaluation's own columns.
    mutating func store(_ evaluation: EvaluationRound) throws {
        add(
            """
            INSERT INTO evaluations (federation, round, opened_at, deadline, closed_at, figures, standing, step)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (federation, round) DO UPDATE SET closed_at = excluded.closed_at, figures = excluded.figures,
              standing = excluded.standing, step = excluded.step
            """,
            evaluation.round, evaluation.openedAt, evaluation.deadline, evaluation.closedAt,
            try evaluation.figures.map { try storedJSON($0) }, try storedJSON(evaluation.standing), step)
    }

    mutating func store(_ places: ClientTable<EvaluationRound.Place>, ofEvaluation round: Int) throws {
        for (client, place) in places {
            add(
                to: .evaluationPlaces, "\(round)/\(client)", round, client, place.state.rawValue, place.rank,
                place.revision, place.answer?.samples, try place.answer.map { try storedJSON($0.metrics) },
                place.receivedAt, place.refusal, step)
        }
    }
}

extension RowTable {
    static let evaluationPlaces = RowTable(
        "evaluation_places",
        [
            ("round", "bigint"), ("client", "text"), ("state", "text"), ("rank", "bigint"), ("revision", "bigint"),
            ("samples", "bigint"), ("metrics", "text"), ("received_at", "bigint"), ("refusal", "text"),
            ("step", "bigint"),
        ], key: ["round", "client"], kept: ["rank"])
}
