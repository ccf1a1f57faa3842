/// The answer to `DELETE /v1/federations/{f}`: what remains of the federation.
package struct DepartedFederationBody: Codable, Sendable, Hashable {
    package var id: String
    /// The hash of the last event of its audit log.
    package var head: String
    /// How many events it had.
    package var events: Int
    /// Whether another federation may take its name.
    package var released: Bool

    package init(id: String, head: String, events: Int, released: Bool) {
        self.id = id
        self.head = head
        self.events = events
        self.released = released
    }
}
