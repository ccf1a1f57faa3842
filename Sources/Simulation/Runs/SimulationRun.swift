import RankwiseWire
import Synchronization

/// One run of a simulation, from its folder's state to the last round.
package struct SimulationRun: Sendable {
    package enum Event: Sendable {
        /// This many of the round's clients have finished.
        case trained(Int, of: Int, round: Int)
        case finished(RoundRecord)
    }

    /// How clients and coordinator communicate.
    package enum Transport: String, Sendable, CaseIterable {
        case memory
        case http
    }

    private let document: SimulationDocument
    private let path: String
    private let transport: Transport

    /// - Parameter path: the run's folder.
    package init(_ document: SimulationDocument, path: String, transport: Transport = .memory) {
        self.document = document
        self.path = path
        self.transport = transport
    }

    /// How many rounds an earlier start has finished.
    package func playedRounds() throws(SimulationError) -> Int {
        try RunFolder(path: path, document: document).records.count
    }

    /// Runs the remaining rounds and returns the whole table.
    ///
    /// In memory a run continues where it stopped; over HTTP an unfinished run starts again.
    package func play(
        cohort: SimulatedCohort, observe: @escaping @Sendable (Event) -> Void
    ) async throws(SimulationError) -> [RoundRecord] {
        let folder = try RunFolder(path: path, document: document)
        guard folder.records.count < document.federation.round.total else { return folder.records }
        let isFull = document.federation.strategy.name == FullFederation.strategy
        if document.simulation.data.validation != nil, transport == .http || isFull {
            throw .settings(
                path: "simulation.data.validation",
                reason: isFull ? "is for ranking weights; full weighs by samples" : "is for simulations in memory")
        }
        guard document.simulation.attacks.isEmpty || transport == .memory && !isFull else {
            throw .settings(
                path: "simulation.attacks",
                reason: isFull ? "is of adapters; full has none" : "is for simulations in memory")
        }
        switch transport {
        case .memory: return try await playInMemory(folder, cohort, observe)
        case .http: return try await playOverHTTP(folder, cohort, observe)
        }
    }

    private func playOverHTTP(
        _ folder: RunFolder, _ cohort: SimulatedCohort, _ observe: @escaping @Sendable (Event) -> Void
    ) async throws(SimulationError) -> [RoundRecord] {
        var folder = folder
        try folder.clear()
        let kept = Mutex(folder)
        let failure = Mutex<SimulationError?>(nil)
        try await HTTPFederation(document, cohort: cohort).play { event in
            if case .finished(let record) = event {
                do throws(SimulationError) {
                    try kept.withLock { folder throws(SimulationError) in try folder.keep(record) }
                } catch {
                    failure.withLock { $0 = error }
                }
            }
            observe(event)
        }
        if let error = failure.withLock({ $0 }) { throw error }
        return kept.withLock { $0.records }
    }

    private func playInMemory(
        _ folder: RunFolder, _ cohort: SimulatedCohort, _ observe: @escaping @Sendable (Event) -> Void
    ) async throws(SimulationError) -> [RoundRecord] {
        var folder = folder
        let total = document.federation.round.total
        let federation: any SimulatedFederation =
            document.federation.strategy.name == FullFederation.strategy
            ? try FullFederation(document, cohort: cohort, resuming: folder.lastState)
            : try MemoryFederation(document, cohort: cohort, resuming: folder.lastState)
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
