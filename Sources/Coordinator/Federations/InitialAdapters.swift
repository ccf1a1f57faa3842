import AdapterFormat
import Aggregation
import Federation

/// Writes version 0 of federations, drawn from the seed or copied from a template.
struct InitialAdapters: Sendable {
    let adapters: any AdapterStore
    let jobs: any JobStore
    /// How many threads draw values.
    let threads: Int

    /// Writes version 0, drawn from the federation's seed. Does nothing where another server draws it or has drawn it.
    func draw(_ settings: FederationSettings, as plan: AdapterPlan) async throws(ServiceError) {
        do throws(StoreError) {
            guard let lease = try await jobs.take(Job(.drawing, of: settings.id)) else { return }
            try await jobs.keeping(lease) { () async throws(StoreError) in
                do throws(ServiceError) {
                    try await store(of: settings.id, under: lease) { target in
                        try InitialAdapter(seed: settings.seed).draw(
                            plan.strategy.publishedShape(of: plan.shape, round: 0), threads: threads, into: &target)
                    }
                } catch .store(let error) {
                    throw error
                } catch {
                    throw .failed("\(error)")
                }
                try await jobs.finish(lease)
            }
        } catch {
            throw .store(error)
        }
    }

    /// Writes version 0 from a template. Throws where another server does.
    func take(_ file: AdapterFile, of settings: FederationSettings, as plan: AdapterPlan) async throws(ServiceError) {
        let lease: Lease?
        do throws(StoreError) { lease = try await jobs.take(Job(.drawing, of: settings.id)) } catch {
            throw .store(error)
        }
        guard let lease else { throw .busy(settings.id) }
        do throws(ServiceError) {
            try await take(file, of: settings, as: plan, under: lease)
        } catch {
            try? await jobs.giveUp(lease)
            throw error
        }
        // Not finished: another template may come until the federation leaves the draft state.
        do throws(StoreError) { try await jobs.giveUp(lease) } catch { throw .store(error) }
    }

    private func take(
        _ file: AdapterFile, of settings: FederationSettings, as plan: AdapterPlan, under lease: Lease
    ) async throws(ServiceError) {
        try await store(of: settings.id, under: lease) { target in
            try target.take(file, of: plan)
        }
    }

    /// Copies the published adapter of a round of one federation to version 0 of another.
    func copy(_ round: Int, of source: FederationID, to target: FederationID) async throws(ServiceError) {
        do throws(StoreError) {
            try await BlockingQueue(label: "copying").run { () throws(StoreError) in
                try adapters.copy(
                    from: AdapterAddress(federation: source, round: round, slot: .adapter),
                    to: AdapterAddress(federation: target, round: 0, slot: .adapter))
            }
        } catch {
            throw .store(error)
        }
    }

    /// Replaces version 0 on its own queue, so that a large adapter delays no other federation.
    private func store(
        of federation: FederationID, under lease: Lease? = nil,
        by fill: @escaping @Sendable (inout StoredAdapterWriter) throws -> Void
    ) async throws(ServiceError) {
        try await BlockingQueue(label: "drawing").run { () throws(ServiceError) in
            do {
                var target = StoredAdapterWriter(
                    to: StoredAdapter(.adapter, of: federation, round: 0, in: adapters), under: lease)
                try target.clear()
                try fill(&target)
                try target.flush()
            } catch let error as StoreError {
                throw .store(error)
            } catch {
                throw .internalFailure("version 0 could not be written: \(error)")
            }
        }
    }
}
