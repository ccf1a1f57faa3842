/// Who may be at the other end of a request: the columns of the table in docs/security.md.
package enum CallerRole: String, Sendable, CaseIterable {
    case nobody = "no token"
    case reader
    case enrolment
    /// A client of the federation; the one that the path names, where it names one.
    case client
    case otherClient = "another client"
    case admin
    /// With a sound token of another federation than the path's.
    case foreign = "of another federation"
    case void = "unknown, expired, withdrawn"
    case revoked = "revoked client"
}
