import Coordinator
import Federation
import HTTPServing

/// Who may call a route, and the type of caller that its handler receives.
///
/// Tokens are checked only here, before handlers run. A handler receives the caller that its route declares.
struct Callers<Caller: Sendable>: Sendable {
    /// A description in a few words.
    let words: String
    let admitted: Set<CallerRole>
    /// Returns the caller; throws where it may not call.
    let admit: @Sendable (Visit) throws -> Caller
}

/// A caller that was not identified.
struct Anybody: Sendable {}

/// The admin, or the holder of the metrics' token.
struct Scraper: Sendable {}

/// A caller with a good token of any kind.
struct Holder: Sendable {
    let principal: Principal
}

/// The admin, on a path that names no federation.
struct Admin: Sendable {}

/// The admin, on a federation's path.
struct FederationAdmin: Sendable {
    let federation: FederationID
}

/// A caller that may read at least one federation.
struct AnyReader: Sendable {
    fileprivate let principal: Principal

    func mayRead(_ federation: FederationID) -> Bool {
        (try? principal.requireReader(of: federation)) != nil
    }
}

/// A caller that may read the path's federation.
struct Reader: Sendable {
    let federation: FederationID
    fileprivate let principal: Principal

    /// The caller's identity for files that may have to be rendered.
    func rendering(_ request: Request) -> RenderingCaller {
        RenderingCaller(principal, bearer: request.bearer, from: request.address)
    }
}

/// A client of the path's federation.
struct Client: Sendable {
    let federation: FederationID
    let name: ClientName
}

/// The client that the path names, or the admin.
struct NamedClient: Sendable {
    let federation: FederationID
    let name: ClientName
    let isAdmin: Bool
}

/// A caller that may register the client that the path names.
struct Registrant: Sendable {
    let federation: FederationID
    let name: ClientName
    /// The id of the token that admits a new client; nil for the admin, and for a client that changes its own entry.
    let enrolment: String?
}

extension Callers<Anybody> {
    /// Everybody may call, without a rate limit.
    static var anybody: Self {
        Self(words: "anybody", admitted: Set(CallerRole.allCases)) { _ in Anybody() }
    }

    static var anybodyWithinRate: Self {
        Self(words: "anybody, within the rate of an address", admitted: Set(CallerRole.allCases)) { visit in
            try visit.access.admitAnonymous(from: visit.request.address)
            return Anybody()
        }
    }
}

extension Callers<Holder> {
    static var holder: Self {
        Self(
            words: "whoever has a good token", admitted: [.reader, .enrolment, .client, .admin, .metrics]
        ) { visit in Holder(principal: try visit.principal()) }
    }
}

extension Callers<Admin> {
    static var admin: Self {
        Self(words: "the admin", admitted: [.admin]) { visit in
            try visit.principal().requireAdmin()
            return Admin()
        }
    }
}

extension Callers<Scraper> {
    static var scraper: Self {
        Self(words: "the metrics token, the admin", admitted: [.admin, .metrics]) { visit in
            try visit.principal().requireMetrics()
            return Scraper()
        }
    }
}

extension Callers<FederationAdmin> {
    static var federationAdmin: Self {
        Self(words: "the admin", admitted: [.admin]) { visit in
            let federation = try visit.federation()
            try visit.principal().requireAdmin()
            return FederationAdmin(federation: federation)
        }
    }
}

extension Callers<AnyReader> {
    static var anyReader: Self {
        Self(words: "a reader or client of any federation, the admin", admitted: [.reader, .client, .admin]) { visit in
            let principal = try visit.principal()
            try principal.requireAnyReader()
            return AnyReader(principal: principal)
        }
    }
}

extension Callers<Reader> {
    static var reader: Self {
        Self(words: "a reader or client of the federation, the admin", admitted: [.reader, .client, .admin]) { visit in
            let federation = try visit.federation()
            let principal = try visit.principal()
            try principal.requireReader(of: federation)
            return Reader(federation: federation, principal: principal)
        }
    }
}

extension Callers<Client> {
    static var client: Self {
        Self(words: "a client of the federation", admitted: [.client]) { visit in
            let federation = try visit.federation()
            return Client(federation: federation, name: try visit.principal().requireClient(of: federation))
        }
    }
}

extension Callers<NamedClient> {
    static var namedClient: Self {
        Self(words: "the client itself, the admin", admitted: [.client, .admin]) { visit in
            let federation = try visit.federation()
            let principal = try visit.principal()
            let name = try visit.client()
            // Here an unknown query is refused before the wrong role.
            try visit.query.refuseUnknown(in: visit.request)
            guard principal == .admin || principal == .client(federation, name) else { throw ServiceError.forbidden }
            return NamedClient(federation: federation, name: name, isAdmin: principal == .admin)
        }
    }
}

extension Callers<Registrant> {
    static var registrant: Self {
        Self(
            words: "an enrolment or region token of the federation, the client itself, the admin",
            admitted: [.enrolment, .client, .admin]
        ) { visit in
            let federation = try visit.federation()
            let principal = try visit.principal()
            let name = try visit.client()
            // A registered client may change its own rank and capabilities.
            var enrolment: String?
            if principal != .client(federation, name) {
                enrolment = try principal.requireEnrolment(in: federation)
                if principal != .admin { try visit.request.requireCertificate(of: name) }
            }
            return Registrant(federation: federation, name: name, enrolment: enrolment)
        }
    }
}
