/// Some of a round's updates: the answer to `GET …/rounds/{t}/updates`.
package struct UpdatesBody: Codable, Sendable, Hashable {
    package var updates: [RoundBody.Update]
    /// The name of the last listed update if there are more; pass it as `after`.
    package var next: String?

    package init(updates: [RoundBody.Update], next: String?) {
        self.updates = updates
        self.next = next
    }
}
