import RankwiseWire

/// One run of a simulation, from where its folder stands to the last round.
package struct SimulationRun: Sendable {
    package enum Event: Sendable {
        /// So many of the round's clients are done.
        case trained(Int, of: Int, round: Int)
        case finished(RoundRecord)
    }

    private let document: SimulationDocument
    private let path: String

    /// - Parameter path: the run's folder.
    package init(_ document: SimulationDocument, path: String) {
        self.document = document
        self.path = path
    }

    /// Plays the rounds that are left and returns the whole table.
    package func play(
        cohort: SimulatedCohort, observe: @escaping @Sendable (Event) -> Void
    ) async throws(SimulationError) -> [RoundRecord] {
        var folder = try RunFolder(path: path, document: document)
        let total = document.federation.round.total
        guard folder.records.count < total else { return folder.records }
        let federation = try MemoryFederation(document, cohort: cohort, resuming: folder.lastState)
        for round in folder.records.count + 1...total {
            let record = try await federation.play(round: round) { trained, selected in
                observe(.trained(trained, of: selected, round: round))
            }
            try folder.keep(record, federation.state)
            observe(.finished(record))
        }
        return folder.records
    }
}
