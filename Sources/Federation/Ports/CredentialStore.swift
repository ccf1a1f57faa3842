/// The holder of a token.
package enum CredentialHolder: Sendable, Hashable {
    case client(FederationID, ClientName, isRevoked: Bool)
    /// The holder of an issued token, which is a reader or may register clients.
    case issued(FederationID, IssuedToken)
}

/// Finds the holder of a token by the token's SHA-256.
///
/// When a step that grants, revokes or withdraws a token has returned, later calls see its effect.
package protocol CredentialStore: Sendable {
    /// nil for a token that is unknown or was withdrawn.
    func holder(ofTokenWithHash hash: ContentDigest) async throws(StoreError) -> CredentialHolder?
}
