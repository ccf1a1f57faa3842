/// Why a round refuses a client's call.
package enum RoundError: Error, Sendable, Hashable {
    /// The round no longer collects; clients should continue with round `current`.
    case closed(round: Int, current: Int)
    /// The round does not exist yet.
    case unknown(round: Int, current: Int)
    /// The client is not in the round's selection.
    case notSelected(round: Int)
    /// The round holds another update of this client.
    case updateExists(round: Int)
    /// The round holds no update of this client.
    case noUpdate(round: Int)
    /// The buffer of an asynchronous federation is being aggregated; the next one opens soon.
    case busy(round: Int)
}

/// Why a client cannot be registered.
package enum RegistrationError: Error, Sendable, Hashable {
    /// Another client, with another token, has this name.
    case nameTaken(ClientName)
    case revoked(ClientName)
    /// The federation has reached its limit of clients.
    case full(limit: Int)
    case badRank(found: Int)
    /// The client does not train the base model that the federation adapts.
    case otherBase(expected: ContentDigest, found: String)
    /// The client cannot be a region of this federation, or not like this.
    case region(reason: String)
    /// The federation has completed all its rounds.
    case finished
    /// The federation waits for its template.
    case draft
    /// The enrolment token has no uses left.
    case tokenSpent
    /// The enrolment token expired or was withdrawn during the call.
    case tokenWithdrawn
}

/// No client of the federation has this name.
package struct UnknownClient: Error, Sendable, Hashable {
    package let client: ClientName

    package init(client: ClientName) { self.client = client }
}

/// Why a federation's state or settings cannot change as requested.
package enum LifecycleError: Error, Sendable, Hashable {
    case cannotChange(from: FederationState, to: FederationState)
    case settings(SettingsError)
}

/// The state of a federation.
package enum FederationState: String, Sendable, Codable, CaseIterable {
    /// It waits for its template. Exits: `waiting`, `finished`.
    case draft
    /// Too few clients to open a round. Exits: `running`, `paused`, `finished`.
    case waiting
    /// Exits: `paused`, `finished`.
    case running
    /// No new round opens; the current one continues. Exits: `running`, `finished`.
    case paused
    case finished
}
