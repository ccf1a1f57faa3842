package import AdapterFormat

/// The state from which a round continues.
package struct EarlierRound {
    /// The number of the last published round; nil for the one before.
    package var round: Int?
    /// The last published adapter, at the federation's scale for maximum rank.
    package var previous: (any AdapterSource)?
    /// Version 0, for what the last adapter lacks; what this lacks too is zero.
    package var initial: (any AdapterSource)?
    /// The server optimizer's state after the last published round.
    package var moments: [any AdapterSource]

    package init(
        round: Int? = nil, previous: (any AdapterSource)? = nil, initial: (any AdapterSource)? = nil,
        moments: [any AdapterSource] = []
    ) {
        self.round = round
        self.previous = previous
        self.initial = initial
        self.moments = moments
    }
}
