import Federation
import Foundation
import GRDB
import StoredRows

/// Writes evaluations.
extension FederationWriter {
    /// Stores the evaluation's own columns.
    func store(_ evaluation: EvaluationRound) throws {
        try execute(
            """
            INSERT INTO evaluations (federation, round, opened_at, deadline, closed_at, figures, standing)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET closed_at = excluded.closed_at, figures = excluded.figures,
              standing = excluded.standing
            """,
            [
                key, evaluation.round, evaluation.openedAt.milliseconds, evaluation.deadline.milliseconds,
                evaluation.closedAt?.milliseconds, try evaluation.figures.map { try storedJSON($0) },
                try storedJSON(evaluation.standing),
            ])
    }

    func store(_ places: ClientTable<EvaluationRound.Place>, ofEvaluation round: Int) throws {
        for (client, place) in places {
            try execute(
                """
                INSERT INTO evaluation_places
                  (federation, round, client, state, rank, revision, samples, metrics, received_at, refusal)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET state = excluded.state, revision = excluded.revision,
                  samples = excluded.samples, metrics = excluded.metrics, received_at = excluded.received_at,
                  refusal = excluded.refusal
                """,
                [
                    key, round, client.rawValue, place.state.rawValue, place.rank, place.revision,
                    place.answer?.samples, try place.answer.map { try storedJSON($0.metrics) },
                    place.receivedAt?.milliseconds, place.refusal,
                ])
        }
    }
}
