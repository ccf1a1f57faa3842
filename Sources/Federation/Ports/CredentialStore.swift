/// Who holds a token.
package enum CredentialHolder: Sendable, Hashable {
    case client(FederationID, ClientName, isRevoked: Bool)
    /// A reader, or who may register clients.
    case issued(FederationID, IssuedToken)
}

/// Finds who holds a token, by the token's SHA-256.
///
/// A token that a step has granted, revoked or withdrawn is known so once the step's call has returned.
package protocol CredentialStore: Sendable {
    /// nil for a token that nobody was given, or that was withdrawn.
    func holder(ofTokenWithHash hash: ContentDigest) async throws(StoreError) -> CredentialHolder?
}
