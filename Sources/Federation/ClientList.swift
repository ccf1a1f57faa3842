/// Clients of a round for the audit log: who could be drawn, or who was. The log names a few; of many it has the digest,
/// and the list is kept beside it.
package struct ClientList: Sendable, Hashable {
    /// An event names so many clients at most.
    package static let namesPerEvent = 50

    /// In ascending name, each once.
    package let clients: [ClientName]
    /// What a draw went by, one of each client; nil where it went by nothing.
    package let values: [Int]?
    /// SHA-256 of `text`
    package let digest: ContentDigest

    package init(clients: [ClientName], values: [Int]?, digest: ContentDigest) {
        self.clients = clients
        self.values = values
        self.digest = digest
    }

    /// A line for each client: its name, and the value behind a space where there is one.
    package var text: String { Self.text(of: clients, values: values) }

    static func text(of clients: [ClientName], values: [Int]?) -> String {
        guard let values else { return clients.map { "\($0)\n" }.joined() }
        return zip(clients, values).map { "\($0) \($1)\n" }.joined()
    }
}
