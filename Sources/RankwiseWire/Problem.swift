/// An RFC 9457 problem, the body of every error answer (`application/problem+json`).
package struct Problem: Codable, Sendable, Hashable {
    package var type: String
    package var title: String
    package var status: Int
    /// Stable, for programs, such as `round.closed` or `update.shape`.
    package var code: String
    /// For people: what was expected and what came.
    package var detail: String
    /// The tensor for which an update was refused.
    package var tensor: String?
    /// The round that collects now, where the request named another.
    package var current: Int?

    package init(
        type: String = "about:blank", title: String, status: Int, code: String, detail: String,
        tensor: String? = nil, current: Int? = nil
    ) {
        self.type = type
        self.title = title
        self.status = status
        self.code = code
        self.detail = detail
        self.tensor = tensor
        self.current = current
    }
}
