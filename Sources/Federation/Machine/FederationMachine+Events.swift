extension FederationMachine {
    /// An external event and its typed reply: `Success`, or `Failure` where the machine refuses it.
    package struct Event<Success: Sendable, Failure: Error>: Sendable {
        let apply: @Sendable (inout FederationMachine, inout Step) throws(Failure) -> Success
    }

    /// The result of registering a client.
    package struct Registration: Sendable {
        package let client: Client
        /// Whether this event registered it.
        package let isNew: Bool
    }

    /// Why an update does not count.
    package enum UpdateObjection: Error, Sendable, Hashable {
        case round(RoundError)
        /// The update's configuration and another client's give this key different values.
        case configuration(key: String)
    }
}

/// Events of clients.
extension FederationMachine.Event {
    /// Registers a client. `enrolment` is the id of the token that admits it; nil where the admin registers it.
    package static func register(
        name: ClientName, rank: Int, token: ContentDigest, capabilities: Capabilities, enrolment: String? = nil
    ) -> Self where Success == FederationMachine.Registration, Failure == RegistrationError {
        Self { machine, step throws(RegistrationError) in
            try machine.register(
                name, rank: rank, token: token, capabilities: capabilities, enrolment: enrolment, in: &step)
        }
    }

    /// Revokes a client; `byItself` is true where the client asked for it.
    package static func revoke(_ name: ClientName, byItself: Bool = false) -> Self
    where Success == Void, Failure == UnknownClient {
        Self { machine, step throws(UnknownClient) in try machine.revoke(name, byItself: byItself, in: &step) }
    }

    /// A client will send nothing in this round, for the given reason.
    package static func decline(_ name: ClientName, round: Int, reason: String) -> Self
    where Success == Void, Failure == RoundError {
        Self { machine, step throws(RoundError) in try machine.decline(name, round: round, reason: reason, in: &step) }
    }

    /// A client has ended, for the given reason. It will not call until somebody starts it again.
    package static func leave(_ name: ClientName, reason: String) -> Self
    where Success == Void, Failure == RoundError {
        Self { machine, step throws(RoundError) in try machine.leave(name, reason: reason, in: &step) }
    }

    /// Time has passed. `arrivals` called and are not in the current round's selection.
    package static func tick(arrivals: [ClientName]) -> Self where Success == Void, Failure == Never {
        Self { machine, step in machine.letIn(arrivals, in: &step) }
    }
}

/// Events of updates.
extension FederationMachine.Event {
    /// Takes a checked update whose bytes are a published blob. The reply is the number of updates that the round
    /// holds.
    ///
    /// `keys` are the keys of its configuration that will travel with the adapter.
    package static func update(_ update: Update, round: Int, adopting keys: [String: String] = [:]) -> Self
    where Success == Int, Failure == FederationMachine.UpdateObjection {
        Self { machine, step throws(FederationMachine.UpdateObjection) in
            try machine.accept(update, round: round, adopting: keys, in: &step)
        }
    }

    /// Records that an update was refused.
    package static func refused(_ refusal: Refusal, round: Int) -> Self where Success == Void, Failure == Never {
        Self { machine, step in machine.refuse(refusal, round: round, in: &step) }
    }

    /// Takes a client's update out of this round, at the admin's request.
    package static func takeBack(_ name: ClientName, round: Int) -> Self where Success == Void, Failure == RoundError {
        Self { machine, step throws(RoundError) in try machine.takeBack(name, round: round, in: &step) }
    }

    /// The bytes of these clients' updates can no longer be read, for the given reasons.
    package static func lost(_ reasons: [ClientName: String], round: Int) -> Self
    where Success == Void, Failure == Never {
        Self { machine, step in machine.lose(reasons, round: round, in: &step) }
    }
}

/// Ends of rounds.
extension FederationMachine.Event {
    /// Publishes the adapter of an aggregated round, and records what the robust rule did.
    package static func aggregated(
        _ adapter: PublishedAdapter, robust: RobustOutcome = RobustOutcome(), round: Int
    ) -> Self where Success == Void, Failure == Never {
        Self { machine, step in machine.publish(adapter, robust, round: round, in: &step) }
    }

    /// Fails a round that cannot be aggregated.
    package static func aggregationFailed(reason: String, round: Int) -> Self where Success == Void, Failure == Never {
        Self { machine, step in machine.fail(round: round, reason: reason, in: &step) }
    }
}

/// The operator's changes of the federation.
extension FederationMachine.Event {
    /// Adds an issued token.
    package static func issue(_ token: IssuedToken) -> Self where Success == Void, Failure == TokenError {
        Self { machine, step throws(TokenError) in try machine.issue(token, in: &step) }
    }

    /// Withdraws the token with this id.
    package static func withdraw(_ id: String) -> Self where Success == Void, Failure == TokenError {
        Self { machine, step throws(TokenError) in try machine.withdraw(id, in: &step) }
    }

    /// Changes the federation's state.
    package static func setState(_ state: FederationState) -> Self where Success == Void, Failure == LifecycleError {
        Self { machine, step throws(LifecycleError) in try machine.change(to: state, in: &step) }
    }

    /// Changes the policy from the next round on.
    package static func setPolicy(_ policy: RoundPolicy) -> Self where Success == Void, Failure == LifecycleError {
        Self { machine, step throws(LifecycleError) in try machine.change(to: policy, in: &step) }
    }

    /// Sets which rounds' adapters are kept; nil keeps all.
    package static func setRetention(_ retention: Retention?) -> Self
    where Success == Void, Failure == LifecycleError {
        Self { machine, step throws(LifecycleError) in try machine.change(to: retention, in: &step) }
    }

    /// Completes a draft: version 0 is stored, and the settings have the template's shape.
    package static func templated(_ settings: FederationSettings) -> Self
    where Success == Void, Failure == LifecycleError {
        Self { machine, step throws(LifecycleError) in try machine.take(template: settings, in: &step) }
    }
}
