package import Federation

/// The reasons for which a service refuses a call. The API gives each case its status and code.
package enum ServiceError: Error, Sendable, Hashable {
    /// The token is missing or unknown.
    case unauthenticated
    /// The token is valid, but does not permit this call.
    case forbidden
    /// The calling client was revoked.
    case revoked(ClientName)
    /// The caller calls or sends too much. It may try again after this many seconds.
    case tooManyRequests(retryAfter: Int)
    /// The caller has left.
    case abandoned
    case unknownFederation(FederationID)
    /// The federation is stored in a way that this version cannot run.
    case setAside(FederationID)
    case unknownClient(ClientName)
    case unknownRound(Int, current: Int)
    /// No event of the federation names a list of clients with this digest.
    case unknownList(ContentDigest)
    /// The round has published no adapter.
    case noAdapter(round: Int)
    /// The round's adapter was deleted; the adapters of these rounds exist.
    case adapterDropped(round: Int, kept: [Int])
    case noUpdate(round: Int)
    /// The strategy has no merges, or none yet.
    case noMerge(strategy: String)
    /// The merges up to this round are kept only as their running total.
    case mergeCompacted(through: Int)
    case sinceOutOfRange(found: Int, round: Int)
    /// The federation waits for its template.
    case draft
    /// The federation has its template, or was made without one.
    case notDraft(FederationState)
    /// Another call does the same at this moment.
    case busy(FederationID)
    /// The template or its configuration does not fit what the federation's clients adapt.
    case template(UpdateRefusal)
    case federationExists(FederationID)
    /// The name of an archive's federation is taken.
    case archivedFederationExists
    /// The server has reached its limit of federations.
    case tooManyFederations(limit: Int)
    /// The round has reached its limit of update bytes.
    case tooManyUpdateBytes(limit: Int)
    case settings(SettingsError)
    case round(RoundError)
    case registration(RegistrationError)
    case lifecycle(LifecycleError)
    case token(TokenError)
    /// The update's bytes or claims are invalid. The round records the refusal with this reason.
    case update(UpdateRefusal)
    case evaluation(EvaluationError)
    /// What a client found cannot be taken. The evaluation records it.
    case evaluationRefused(EvaluationAnswer.Objection)
    /// No round is known as the best: the settings name no metric, or no evaluation has ended.
    case noBest(isNamed: Bool)
    /// `Content-Digest` does not match the bytes that arrived.
    case digestMismatch(expected: ContentDigest, found: ContentDigest)
    case upload(UploadError)
    /// A client's token is not 32 bytes in base64url or hexadecimal, or somebody else uses it.
    case badToken
    case rankOutOfRange(found: Int, limit: Int)
    case unknownElementType(String)
    case unknownMessageBits(Int)
    case store(StoreError)
    /// An internal error; the text is for the log.
    case internalFailure(String)
}
