import Federation

extension Result where Failure == RoundError {
    var roundError: RoundError? { if case .failure(let error) = self { error } else { nil } }
}

extension Result where Failure == FederationMachine.UpdateObjection {
    var roundError: RoundError? { if case .failure(.round(let error)) = self { error } else { nil } }
}

extension Result where Failure == RegistrationError {
    var registrationError: RegistrationError? { if case .failure(let error) = self { error } else { nil } }
}

extension Result where Failure == LifecycleError {
    var lifecycleError: LifecycleError? { if case .failure(let error) = self { error } else { nil } }
}

extension Result where Failure == TokenError {
    var tokenError: TokenError? { if case .failure(let error) = self { error } else { nil } }
}

extension Result where Success == Void {
    var isDone: Bool { if case .success = self { true } else { false } }
}

extension Result where Success == Int {
    /// How many updates the round holds, where one was received.
    var count: Int? { if case .success(let count) = self { count } else { nil } }
}

extension Result where Success == FederationMachine.Registration {
    var registration: FederationMachine.Registration? { if case .success(let found) = self { found } else { nil } }
}
