/// Clients of a round for the audit log: the candidates of a draw, or the drawn ones.
///
/// An event names a few clients itself. For more, it has the digest of the list, which is stored separately.
package struct ClientList: Sendable, Hashable {
    /// The highest number of clients that an event names itself.
    package static let namesPerEvent = 50

    /// In ascending order of name, each once.
    package let clients: [ClientName]
    /// The value of each client on which the draw depended; nil where it depended on none.
    package let values: [Int]?
    /// SHA-256 of `text`
    package let digest: ContentDigest

    package init(clients: [ClientName], values: [Int]?, digest: ContentDigest) {
        self.clients = clients
        self.values = values
        self.digest = digest
    }

    /// One line for each client: its name, and its value after a space where there is one.
    package var text: String { Self.text(of: clients, values: values) }

    static func text(of clients: [ClientName], values: [Int]?) -> String {
        guard let values else { return clients.map { "\($0)\n" }.joined() }
        return zip(clients, values).map { "\($0) \($1)\n" }.joined()
    }
}
