import Federation

extension FederationMachine.Reply {
    var roundError: RoundError? {
        if case .round(let error) = self { error } else { nil }
    }

    var registrationError: RegistrationError? {
        if case .registration(let error) = self { error } else { nil }
    }

    var lifecycleError: LifecycleError? {
        if case .lifecycle(let error) = self { error } else { nil }
    }

    var tokenError: TokenError? {
        if case .token(let error) = self { error } else { nil }
    }

    var isDone: Bool {
        if case .done = self { true } else { false }
    }

    /// How many updates the round holds, where one was received.
    var count: Int? {
        if case .received(let count) = self { count } else { nil }
    }
}
