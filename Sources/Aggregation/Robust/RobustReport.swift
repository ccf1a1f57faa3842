/// What a robust rule did in a round, for the round's record.
package struct RobustReport: Sendable, Hashable {
    /// An update that the rule left out.
    package struct LeftOut: Sendable, Hashable {
        package let client: String
        /// The code, and the reason in words.
        package let reason: String

        package init(client: String, reason: String) {
            self.client = client
            self.reason = reason
        }
    }

    /// In the order of the clients' names.
    package var leftOut: [LeftOut] = []
    /// Sentences about the round.
    package var notes: [String] = []

    package init(leftOut: [LeftOut] = [], notes: [String] = []) {
        self.leftOut = leftOut
        self.notes = notes
    }
}
