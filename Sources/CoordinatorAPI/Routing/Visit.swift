import Coordinator
import Federation
import HTTPServing

/// A request whose caller is not identified yet.
struct Visit {
    let request: Request
    let access: Access
    let query: DeclaredQuery

    /// The principal of the request's token. Where the connection has a certificate, it must match a client's call.
    func principal() throws -> Principal {
        let principal = try access.principal(bearer: request.bearer, from: request.address)
        if case .client(_, let name) = principal { try request.requireCertificate(of: name) }
        return principal
    }

    /// The federation that the path names.
    func federation() throws(ArgumentError) -> FederationID {
        let text = request.parameters["federation"] ?? ""
        do throws(NameError) {
            return try FederationID(text)
        } catch {
            throw .invalid(name: "federation", found: text, expected: "1 to 64 of a-z, 0-9, '.', '_' and '-'")
        }
    }

    /// The client that the path names.
    func client() throws(ArgumentError) -> ClientName {
        try Request.client(named: request.parameters["client"] ?? "")
    }
}
