import Federation
import Synchronization

extension StoreConnection: StepFeed {
    func steps() -> AsyncStream<StoredStep> {
        let machine = store.rows.machine
        let listener = StoreListener(machine.settings.id, from: machine.revision, connection: number)
        self.listener.withLock { $0 = listener }
        if !isOpen { listener.end() }
        store.listen(listener)
        if store.mutant != .removedPolling { lane.start { [self] in await poll(for: listener) } }
        return listener.steps
    }

    /// Asks for the revision once a second, so that a dropped notification is only late.
    private func poll(for listener: StoreListener) async {
        while isOpen {
            await store.scheduler.sleep(seconds: 1)
            if (try? await arrive()) != nil { listener.hear(store.rows.machine.revision) }
        }
    }
}

extension StoreConnection: JobStore {
    func take(_ job: Job, seconds: Double) async throws(StoreError) -> Lease? {
        try await arrive()
        return try await answer(store.take(job, seconds: seconds))
    }

    func renew(_ lease: Lease, seconds: Double) async throws(StoreError) -> Bool {
        try await arrive()
        return try await answer(store.renew(lease, seconds: seconds))
    }

    func giveUp(_ lease: Lease) async throws(StoreError) {
        try await arrive()
        store.giveUp(lease)
    }

    func finish(_ lease: Lease) async throws(StoreError) {
        try await arrive()
        store.giveUp(lease)
    }
}

extension StoreConnection: CredentialStore {
    func holder(ofTokenWithHash hash: ContentDigest) async throws(StoreError) -> CredentialHolder? {
        try await arrive()
        let machine = store.rows.machine
        let client = machine.clients.values.first { $0.token == hash }
        return try await answer(
            client.map { .client(machine.settings.id, $0.name, isRevoked: $0.revokedAt != nil) })
    }
}

extension StoreConnection: PresenceStore {
    func presence(of federation: FederationID) -> any Presence { store.presence.presence(of: federation) }
    func forgetPresence(of federation: FederationID) { store.presence.forgetPresence(of: federation) }
}
