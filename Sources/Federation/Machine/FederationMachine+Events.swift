extension FederationMachine {
    /// What happened outside, with the reply that it gets: `Success`, or `Failure` where it is refused.
    package struct Event<Success: Sendable, Failure: Error>: Sendable {
        let apply: @Sendable (inout FederationMachine, inout Step) throws(Failure) -> Success
    }

    /// A client that is registered.
    package struct Registration: Sendable {
        package let client: Client
        /// Whether it was not registered before.
        package let isNew: Bool
    }

    /// Why an update does not count.
    package enum UpdateObjection: Error, Sendable, Hashable {
        case round(RoundError)
        /// What the update's configuration says of this key is not what another client's said meanwhile.
        case configuration(key: String)
    }
}

/// Clients come and go.
extension FederationMachine.Event {
    /// `enrolment` is the id of the token that lets a new client in; without one, the admin does.
    package static func register(
        name: ClientName, rank: Int, token: ContentDigest, capabilities: Capabilities, enrolment: String? = nil
    ) -> Self where Success == FederationMachine.Registration, Failure == RegistrationError {
        Self { machine, step throws(RegistrationError) in
            try machine.register(
                name, rank: rank, token: token, capabilities: capabilities, enrolment: enrolment, in: &step)
        }
    }

    /// `byItself` where the client asked for it.
    package static func revoke(_ name: ClientName, byItself: Bool = false) -> Self
    where Success == Void, Failure == UnknownClient {
        Self { machine, step throws(UnknownClient) in try machine.revoke(name, byItself: byItself, in: &step) }
    }

    /// A client will send nothing in this round, for this reason.
    package static func decline(_ name: ClientName, round: Int, reason: String) -> Self
    where Success == Void, Failure == RoundError {
        Self { machine, step throws(RoundError) in try machine.decline(name, round: round, reason: reason, in: &step) }
    }

    /// A client has ended for this reason, and calls no more until somebody starts it again.
    package static func leave(_ name: ClientName, reason: String) -> Self
    where Success == Void, Failure == RoundError {
        Self { machine, step throws(RoundError) in try machine.leave(name, reason: reason, in: &step) }
    }

    /// Time has passed, and these clients called that are not in the current round's selection.
    package static func tick(arrivals: [ClientName]) -> Self where Success == Void, Failure == Never {
        Self { machine, step in machine.letIn(arrivals, in: &step) }
    }
}

/// Updates come, and are lost.
extension FederationMachine.Event {
    /// An update that was checked, and whose bytes are a published blob. Answered with how many updates the round holds.
    ///
    /// `adopting` are the keys of its configuration that are to travel with the adapter.
    package static func update(_ update: Update, round: Int, adopting keys: [String: String] = [:]) -> Self
    where Success == Int, Failure == FederationMachine.UpdateObjection {
        Self { machine, step throws(FederationMachine.UpdateObjection) in
            try machine.accept(update, round: round, adopting: keys, in: &step)
        }
    }

    package static func refused(_ refusal: Refusal, round: Int) -> Self where Success == Void, Failure == Never {
        Self { machine, step in machine.refuse(refusal, round: round, in: &step) }
    }

    /// The admin takes back a client's update that this round holds.
    package static func takeBack(_ name: ClientName, round: Int) -> Self where Success == Void, Failure == RoundError {
        Self { machine, step throws(RoundError) in try machine.takeBack(name, round: round, in: &step) }
    }

    /// The bytes of these clients' updates can be read no more, for these reasons.
    package static func lost(_ reasons: [ClientName: String], round: Int) -> Self
    where Success == Void, Failure == Never {
        Self { machine, step in machine.lose(reasons, round: round, in: &step) }
    }
}

/// Rounds end.
extension FederationMachine.Event {
    package static func aggregated(_ adapter: PublishedAdapter, round: Int) -> Self
    where Success == Void, Failure == Never {
        Self { machine, step in machine.publish(adapter, round: round, in: &step) }
    }

    package static func aggregationFailed(reason: String, round: Int) -> Self where Success == Void, Failure == Never {
        Self { machine, step in machine.fail(round: round, reason: reason, in: &step) }
    }
}

/// The operator changes the federation.
extension FederationMachine.Event {
    package static func issue(_ token: IssuedToken) -> Self where Success == Void, Failure == TokenError {
        Self { machine, step throws(TokenError) in try machine.issue(token, in: &step) }
    }

    /// Withdraws the token with this id.
    package static func withdraw(_ id: String) -> Self where Success == Void, Failure == TokenError {
        Self { machine, step throws(TokenError) in try machine.withdraw(id, in: &step) }
    }

    package static func setState(_ state: FederationState) -> Self where Success == Void, Failure == LifecycleError {
        Self { machine, step throws(LifecycleError) in try machine.change(to: state, in: &step) }
    }

    package static func setPolicy(_ policy: RoundPolicy) -> Self where Success == Void, Failure == LifecycleError {
        Self { machine, step throws(LifecycleError) in try machine.change(to: policy, in: &step) }
    }

    /// nil keeps all.
    package static func setRetention(_ retention: Retention?) -> Self
    where Success == Void, Failure == LifecycleError {
        Self { machine, step throws(LifecycleError) in try machine.change(to: retention, in: &step) }
    }

    /// The template is there: version 0 is stored, and the settings have the template's shape.
    package static func templated(_ settings: FederationSettings) -> Self
    where Success == Void, Failure == LifecycleError {
        Self { machine, step throws(LifecycleError) in try machine.take(template: settings, in: &step) }
    }
}
