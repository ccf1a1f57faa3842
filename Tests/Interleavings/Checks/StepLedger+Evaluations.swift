import Federation

/// Checks what is stored of evaluations, and what clients are told of them.
extension StepLedger {
    /// What an ended evaluation has stays, and its figures count what it has.
    func checkEvaluations(from before: FakeStore.Rows, to after: FakeStore.Rows) {
        for (number, old) in before.evaluations where !old.isOpen {
            guard let new = after.evaluations[number], new.closedAt == old.closedAt, new.places == old.places,
                new.figures == old.figures
            else { return report(.endedEvaluationStays, "round \(number)") }
        }
        for evaluation in after.evaluations.values {
            guard let figures = evaluation.figures else { continue }
            if figures.received != evaluation.places.values.count(where: { $0.state == .answered }) {
                report(.endedEvaluationStays, "round \(evaluation.round) counts \(figures.received)")
            }
        }
    }

    /// Every answer that a client knows to be taken is in its evaluation.
    func checkAnswers(_ answers: [Sending: EvaluationAnswer], in rows: FakeStore.Rows) {
        for (sending, answer) in answers
        where rows.evaluations[sending.round]?.places[sending.client]?.answer != answer {
            report(.answerIsStored, "the one of \(sending.client) for round \(sending.round)")
        }
        if rows.machine.state == .finished, rows.machine.evaluation?.isOpen == true {
            report(.endedEvaluationStays, "the federation is finished, and an evaluation is open")
        }
    }
}
