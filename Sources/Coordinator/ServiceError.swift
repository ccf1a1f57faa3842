package import Federation

/// Everything that a service may refuse; the API gives each case its status and code.
package enum ServiceError: Error, Sendable, Hashable {
    /// No token, or one that nobody issued.
    case unauthenticated
    /// The token is good, but not for this.
    case forbidden
    /// The client that calls was revoked.
    case revoked(ClientName)
    /// Whoever calls, or sends, does it too often; after so many seconds it may again.
    case tooManyRequests(retryAfter: Int)
    /// Whoever asked has left.
    case abandoned
    case unknownFederation(FederationID)
    /// The federation is stored in a way that this version cannot run.
    case setAside(FederationID)
    case unknownClient(ClientName)
    case unknownRound(Int, current: Int)
    /// No event of the federation has a list of clients by this digest.
    case unknownList(ContentDigest)
    /// The round has published no adapter.
    case noAdapter(round: Int)
    /// The round's adapter was not kept; these rounds' are there.
    case adapterDropped(round: Int, kept: [Int])
    case noUpdate(round: Int)
    /// The strategy adds nothing to the base, or has not yet.
    case noMerge(strategy: String)
    /// The merges up to this round are kept as their sum alone.
    case mergeCompacted(through: Int)
    case sinceOutOfRange(found: Int, round: Int)
    /// The federation's template is still to come.
    case draft
    /// The federation has its template, or was made without one.
    case notDraft(FederationState)
    /// Another call is just doing the same.
    case busy(FederationID)
    /// The template, or its configuration, cannot be what the federation's clients adapt.
    case template(UpdateRefusal)
    case federationExists(FederationID)
    /// The name of an archive's federation is taken.
    case archivedFederationExists
    /// The server runs as many federations as it may.
    case tooManyFederations(limit: Int)
    /// The round holds as many bytes of updates as it may.
    case tooManyUpdateBytes(limit: Int)
    case settings(SettingsError)
    case round(RoundError)
    case registration(RegistrationError)
    case lifecycle(LifecycleError)
    case token(TokenError)
    /// The update's bytes or claims are unsound; it stands on its round with this reason.
    case update(UpdateRefusal)
    /// `Content-Digest` names other bytes than came.
    case digestMismatch(expected: ContentDigest, found: ContentDigest)
    case upload(UploadError)
    /// A client's token is not 32 bytes in base64url or hexadecimal, or serves somebody else already.
    case badToken
    case rankOutOfRange(found: Int, limit: Int)
    case unknownElementType(String)
    case unknownMessageBits(Int)
    case store(StoreError)
    /// Something broke inside; the text is for the log.
    case internalFailure(String)
}
