import AdapterFormat
import Aggregation
package import Federation
import Logging

/// Creates federations and changes their state and settings.
package struct FederationService: Sendable {
    let runtime: FederationRuntime
    let metadata: any MetadataStore
    let initial: InitialAdapters
    let rounds: RoundService
    let retention: RetentionService
    let cache: AdapterCache
    let access: Access
    let quotas: Quotas
    let clock: any WallClock
    let logger: Logger

    /// A new federation with its tokens. They are shown only now, because the server keeps only their hashes.
    package struct Created: Sendable {
        package let id: FederationID
        package let enrolmentToken: String
        package let readerToken: String
    }

    /// Checks that a federation could be created with these settings: bounds, adapter and strategy.
    package static func check(_ settings: FederationSettings) throws(SettingsError) { _ = try checked(settings) }

    /// The settings with all defaults written out, and their plan; nil while a template is missing.
    static func checked(
        _ settings: FederationSettings
    ) throws(SettingsError) -> (settings: FederationSettings, plan: AdapterPlan?) {
        try settings.validate()
        var settings = settings
        let strategy: Strategy
        let plan: AdapterPlan?
        if settings.adapter.isDraft {
            plan = nil
            let robust = try AdapterPlan.rule(of: settings)
            do throws(StrategyError) { strategy = try Strategy(settings, robust: robust) } catch {
                throw SettingsError(error)
            }
        } else {
            let checked = try AdapterPlan(settings)
            try checked.checkSize()
            do throws(ConfigRefusal) { try checked.checkMerging(settings.adapter.config) } catch {
                throw SettingsError(path: "adapter.config.\(error.key)", reason: "is refused: \(error)")
            }
            plan = checked
            strategy = checked.strategy
        }
        settings.strategy.weighting = strategy.weighting.name
        settings.strategy.parameters = strategy.parameters.mapValues(FederationSettings.Parameter.init)
        settings.robust = strategy.robust.map {
            .init(rule: $0.name, parameters: $0.parameters.mapValues(FederationSettings.Parameter.init))
        }
        return (settings, plan)
    }

    /// Creates a federation with version 0 and two new tokens; a draft has no version 0 yet.
    package func create(_ wanted: FederationSettings) async throws(ServiceError) -> Created {
        let (settings, plan): (FederationSettings, AdapterPlan?)
        do throws(SettingsError) {
            (settings, plan) = try Self.checked(wanted)
        } catch {
            throw .settings(error)
        }
        try runtime.reserve(upTo: quotas.federations)
        defer { runtime.release() }
        let enrolment = Access.makeToken()
        let reader = Access.makeToken()
        let now = clock.now()
        let tokens = [
            IssuedToken(id: "enrolment", role: .enrolment, hash: Access.hash(enrolment), createdAt: now),
            IssuedToken(id: "reader", role: .reader, hash: Access.hash(reader), createdAt: now),
        ]
        let stored = StoredFederation(
            machine: FederationMachine(settings: settings, tokens: tokens), createdAt: now)
        runtime.noteCreation(of: settings.id)
        defer { runtime.noteCreated(settings.id) }
        do throws(StoreError) {
            try await metadata.create(stored)
        } catch {
            throw error == .exists ? .federationExists(settings.id) : .store(error)
        }
        do throws(ServiceError) {
            if let plan { try await initial.draw(settings, as: plan) }
        } catch {
            try? await metadata.discard(settings.id)
            throw error
        }
        runtime.open(stored)
        return Created(id: settings.id, enrolmentToken: enrolment, readerToken: reader)
    }

    /// The federations that `isVisible` accepts, in ascending order of name.
    ///
    /// - Parameters:
    ///   - after: only federations whose names come later.
    ///   - limit: how many are returned at most; nil for all.
    /// - Returns: whether more federations follow, besides the federations.
    package func list(
        after: FederationID? = nil, limit: Int? = nil, where isVisible: (FederationID) -> Bool
    ) -> (federations: [FederationSnapshot], hasMore: Bool) {
        var visible: [FederationSnapshot] = []
        for session in runtime.all where after.map({ $0 < session.id }) ?? true {
            guard isVisible(session.id) else { continue }
            if visible.count == limit { return (visible, true) }
            visible.append(session.snapshot)
        }
        return (visible, false)
    }

    package func snapshot(of id: FederationID) throws(ServiceError) -> FederationSnapshot {
        try runtime.session(id).snapshot
    }

    /// Changes the state; throws where the present state does not permit it.
    package func setState(_ state: FederationState, of id: FederationID) async throws(ServiceError)
        -> FederationSnapshot
    {
        try await change(id, by: .setState(state))
    }

    /// Takes effect with the next round; a deadline that is already set stays.
    package func setPolicy(_ policy: RoundPolicy, of id: FederationID) async throws(ServiceError) -> FederationSnapshot
    {
        if let plan = try runtime.session(id).planIfAny() {
            do throws(SettingsError) { try plan.check(policy) } catch { throw .settings(error) }
        }
        return try await change(id, by: .setPolicy(policy))
    }

    /// Takes effect at once.
    package func setRetention(
        _ retention: Retention?, of id: FederationID
    ) async throws(ServiceError) -> FederationSnapshot {
        let snapshot = try await change(id, by: .setRetention(retention))
        await self.retention.apply(to: try runtime.session(id))
        return snapshot
    }

    private func change(
        _ id: FederationID, by event: FederationMachine.Event<Void, LifecycleError>
    ) async throws(ServiceError) -> FederationSnapshot {
        let session = try runtime.session(id)
        try await session.reply(to: event)
        return session.snapshot
    }

    /// The events of the audit log after event `id`, oldest first.
    package func events(
        after id: Int64, limit: Int, of federation: FederationID
    ) async throws(ServiceError) -> [StoredEvent] {
        _ = try runtime.session(federation)
        do throws(StoreError) {
            return try await metadata.events(after: id, limit: limit, of: federation)
        } catch {
            throw .store(error)
        }
    }

    /// The events of the audit log before event `id`, newest first.
    package func events(
        before id: Int64, limit: Int, of federation: FederationID
    ) async throws(ServiceError) -> [StoredEvent] {
        _ = try runtime.session(federation)
        do throws(StoreError) {
            return try await metadata.events(before: id, limit: limit, of: federation)
        } catch {
            throw .store(error)
        }
    }

    /// The list of clients with the digest that an event names.
    package func list(_ digest: ContentDigest, of federation: FederationID) async throws(ServiceError) -> ClientList {
        _ = try runtime.session(federation)
        do throws(StoreError) {
            if let list = try await metadata.list(digest, of: federation) { return list }
        } catch {
            throw .store(error)
        }
        throw .unknownList(digest)
    }
}
