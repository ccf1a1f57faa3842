package import Federation

/// Whom a bearer token stands for.
package enum Principal: Sendable, Hashable {
    case admin
    case reader(FederationID)
    /// With the id of its token.
    case enrolment(FederationID, token: String)
    case client(FederationID, ClientName)
}

extension Principal {
    /// The one federation that it has to do with; nil for the admin.
    var federation: FederationID? {
        switch self {
        case .admin: nil
        case .reader(let federation), .enrolment(let federation, _), .client(let federation, _): federation
        }
    }

    /// May read the federation: its reader, its clients and the admin.
    package func requireReader(of federation: FederationID) throws(ServiceError) {
        switch self {
        case .admin, .reader(federation), .client(federation, _): return
        case .reader, .client, .enrolment: throw .forbidden
        }
    }

    package func requireAdmin() throws(ServiceError) {
        guard self == .admin else { throw .forbidden }
    }

    /// May read some federation.
    package func requireAnyReader() throws(ServiceError) {
        if case .enrolment = self { throw .forbidden }
    }

    /// May register clients: answers the id of the token that lets them in, none for the admin.
    package func requireEnrolment(in federation: FederationID) throws(ServiceError) -> String? {
        switch self {
        case .admin: return nil
        case .enrolment(federation, let token): return token
        case .reader, .client, .enrolment: throw .forbidden
        }
    }

    /// The client of this federation that calls.
    package func requireClient(of federation: FederationID) throws(ServiceError) -> ClientName {
        guard case .client(federation, let name) = self else { throw .forbidden }
        return name
    }
}
