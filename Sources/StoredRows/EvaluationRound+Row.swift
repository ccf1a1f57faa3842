package import Federation
import Foundation

/// Evaluations, read from their rows.
extension EvaluationRound {
    package init(_ row: some StoredRow, places: ClientTable<Place>) throws(StoreError) {
        let figures: String? = try row.optional("figures")
        self.init(
            round: try row.value("round"), openedAt: try row.instant("opened_at"),
            deadline: try row.instant("deadline"), closedAt: try row.optionalInstant("closed_at"), places: places,
            figures: figures == nil ? nil : try row.json("figures"), standing: try row.json("standing"))
    }
}

extension EvaluationRound.Place {
    package init(_ row: some StoredRow) throws(StoreError) {
        let samples: Int? = try row.optional("samples")
        var answer: EvaluationAnswer?
        if let samples { answer = EvaluationAnswer(samples: samples, metrics: try row.json("metrics")) }
        self.init(
            state: try row.text("state"), rank: try row.value("rank"), revision: try row.value("revision"),
            answer: answer, receivedAt: try row.optionalInstant("received_at"), refusal: try row.optional("refusal"))
    }
}

extension ListedEvaluation {
    /// Of an open evaluation, nothing is counted here.
    package init(_ row: some StoredRow) throws(StoreError) {
        self.init(try EvaluationRound(row, places: [:]))
    }
}
