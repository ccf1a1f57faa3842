/// The role of a caller: a column of the table in docs/security.md.
package enum CallerRole: String, Sendable, CaseIterable {
    case nobody = "no token"
    case reader
    case enrolment
    /// A client of the federation; where the path names a client, that one.
    case client
    case otherClient = "another client"
    case admin
    case metrics = "the metrics token"
    /// A caller with a valid token of another federation than the path's.
    case foreign = "of another federation"
    case void = "unknown, expired, withdrawn"
    case revoked = "revoked client"
}
