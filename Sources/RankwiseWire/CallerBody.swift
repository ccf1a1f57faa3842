/// Whom a token stands for: the answer to `GET /v1/caller`.
package struct CallerBody: Codable, Sendable, Hashable {
    /// `admin`, `metrics`, `reader`, `enrolment` or `client`.
    package var role: String
    /// The federation that the token is of; absent for the admin.
    package var federation: String?
    /// The client's name, where the caller is one.
    package var client: String?

    package init(role: String, federation: String? = nil, client: String? = nil) {
        self.role = role
        self.federation = federation
        self.client = client
    }
}
