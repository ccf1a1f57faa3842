/// Why a round does not take a client's update.
package enum RoundError: Error, Sendable, Hashable {
    /// The round collects no more; `current` is the one that clients should turn to.
    case closed(round: Int, current: Int)
    /// There is no such round yet.
    case unknown(round: Int, current: Int)
    /// The client is not in the round's selection.
    case notSelected(round: Int)
    /// The round holds another update of this client.
    case updateExists(round: Int)
    /// The round holds no update of this client.
    case noUpdate(round: Int)
    /// The buffer of an asynchronous federation is just being aggregated; the next one opens soon.
    case busy(round: Int)
}

/// Why a client cannot be registered.
package enum RegistrationError: Error, Sendable, Hashable {
    /// The name is taken by a client with another token.
    case nameTaken(ClientName)
    case revoked(ClientName)
    /// The federation has as many clients as its limits allow.
    case full(limit: Int)
    case badRank(found: Int)
    /// The client trains another base model than the federation adapts.
    case otherBase(expected: ContentDigest, found: String)
    /// The federation has run all its rounds.
    case finished
    /// The federation's template is still to come.
    case draft
    /// The enrolment token has no uses left.
    case tokenSpent
    /// The enrolment token was withdrawn, or expired, while the call was under way.
    case tokenWithdrawn
}

/// No client of the federation has this name.
package struct UnknownClient: Error, Sendable, Hashable {
    package let client: ClientName

    package init(client: ClientName) { self.client = client }
}

/// Why a federation's state cannot change as asked.
package enum LifecycleError: Error, Sendable, Hashable {
    case cannotChange(from: FederationState, to: FederationState)
    case settings(SettingsError)
}

package enum FederationState: String, Sendable, Codable, CaseIterable {
    /// Its template is still to come. Exits: `waiting`, `finished`.
    case draft
    /// Too few clients to open a round. Exits: `running`, `paused`, `finished`.
    case waiting
    /// Exits: `paused`, `finished`.
    case running
    /// No new round opens; the current one goes on. Exits: `running`, `finished`.
    case paused
    case finished
}
