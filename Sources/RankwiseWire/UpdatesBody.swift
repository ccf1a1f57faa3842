/// Some of a round's updates, as `GET …/rounds/{t}/updates` answers them.
package struct UpdatesBody: Codable, Sendable, Hashable {
    package var updates: [RoundBody.Update]
    /// Where there are more, the last one's name, to be asked for `after`.
    package var next: String?

    package init(updates: [RoundBody.Update], next: String?) {
        self.updates = updates
        self.next = next
    }
}
