import Federation

/// A refusal of the machine, translated into a service's error.
protocol MachineError: Error {
    var serviceError: ServiceError { get }
}

extension RoundError: MachineError {
    var serviceError: ServiceError {
        if case .noUpdate(let round) = self { .noUpdate(round: round) } else { .round(self) }
    }
}

extension RegistrationError: MachineError {
    var serviceError: ServiceError { .registration(self) }
}

extension LifecycleError: MachineError {
    var serviceError: ServiceError { .lifecycle(self) }
}

extension TokenError: MachineError {
    var serviceError: ServiceError { .token(self) }
}

extension UnknownClient: MachineError {
    var serviceError: ServiceError { .unknownClient(client) }
}

extension FederationSession {
    /// `perform` with the store's errors translated into a service's.
    func result<Success, Failure>(
        of event: FederationMachine.Event<Success, Failure>
    ) async throws(ServiceError) -> Result<Success, Failure> {
        do throws(StoreError) { return try await perform(event) } catch { throw .store(error) }
    }

    /// The event's result; throws where the machine refuses it.
    @discardableResult
    func reply<Success, Failure: MachineError>(
        to event: FederationMachine.Event<Success, Failure>
    ) async throws(ServiceError) -> Success {
        switch try await result(of: event) {
        case .success(let reply): return reply
        case .failure(let error): throw error.serviceError
        }
    }

    /// `refresh` with the store's errors translated into a service's.
    func refreshed() async throws(ServiceError) {
        do throws(StoreError) { try await refresh() } catch { throw .store(error) }
    }

    /// Why `client` may not send an update for the round; nil where it may. An objection of an old copy does not count:
    /// another server may have opened the round since.
    func objection(to client: ClientName, round: Int) async throws(ServiceError) -> RoundError? {
        guard snapshot.machine.objection(to: client, round: round) != nil else { return nil }
        try await refreshed()
        return snapshot.machine.objection(to: client, round: round)
    }

    /// Records a refusal with the round and throws it.
    func refuse(
        _ refusal: UpdateRefusal, of client: ClientName, round: Int, at now: Timestamp
    ) async throws(ServiceError) -> Never {
        let record = Refusal(client: client, at: now, code: refusal.code, detail: refusal.detail)
        _ = try await result(of: .refused(record, round: round))
        throw .update(refusal)
    }
}
