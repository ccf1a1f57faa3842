package import Federation

/// The identity that a bearer token stands for.
package enum Principal: Sendable, Hashable {
    case admin
    /// May read the server's metrics and nothing else.
    case metrics
    case reader(FederationID)
    /// The holder of an enrolment token, with the token's id.
    case enrolment(FederationID, token: String)
    case client(FederationID, ClientName)
}

extension Principal {
    /// The only federation that the principal may use; nil for the admin.
    var federation: FederationID? {
        switch self {
        case .admin, .metrics: nil
        case .reader(let federation), .enrolment(let federation, _), .client(let federation, _): federation
        }
    }

    /// Requires that the caller may read the federation: its reader, its clients or the admin.
    package func requireReader(of federation: FederationID) throws(ServiceError) {
        switch self {
        case .admin, .reader(federation), .client(federation, _): return
        case .reader, .client, .enrolment, .metrics: throw .forbidden
        }
    }

    package func requireAdmin() throws(ServiceError) {
        guard self == .admin else { throw .forbidden }
    }

    /// Requires that the caller may read the server's metrics: the admin, or the holder of the metrics' token.
    package func requireMetrics() throws(ServiceError) {
        guard self == .admin || self == .metrics else { throw .forbidden }
    }

    /// Requires that the caller may read at least one federation.
    package func requireAnyReader() throws(ServiceError) {
        switch self {
        case .admin, .reader, .client: return
        case .enrolment, .metrics: throw .forbidden
        }
    }

    /// Requires that the caller may register clients. Returns the id of its enrolment token; nil for the admin.
    package func requireEnrolment(in federation: FederationID) throws(ServiceError) -> String? {
        switch self {
        case .admin: return nil
        case .enrolment(federation, let token): return token
        case .reader, .client, .enrolment, .metrics: throw .forbidden
        }
    }

    /// Requires a client of this federation, and returns its name.
    package func requireClient(of federation: FederationID) throws(ServiceError) -> ClientName {
        guard case .client(federation, let name) = self else { throw .forbidden }
        return name
    }
}
