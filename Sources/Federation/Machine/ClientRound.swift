/// What one round knows of one client.
package struct ClientRound: Sendable, Hashable {
    package let number: Int
    /// nil where the round neither selected the client nor took an update from it.
    package let answer: RoundMachine.Participation.State?
    package let update: Update?
    /// In the order of their last occurrence.
    package let refusals: [Refusal]

    package init(
        number: Int, answer: RoundMachine.Participation.State?, update: Update?, refusals: [Refusal]
    ) {
        self.number = number
        self.answer = answer
        self.update = update
        self.refusals = refusals
    }
}
