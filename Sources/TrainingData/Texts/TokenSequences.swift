/// Texts as token numbers, each token with the mark whether its prediction counts.
///
/// They have no classes: `labels` is zero for each.
package struct TokenSequences: ExampleSet, Equatable {
    package let labels: [Int]
    /// The tokens of a text are those from its bound to the next one.
    private let bounds: [Int]
    private let tokens: [Int32]
    private let counts: [Bool]

    /// - Parameter texts: the tokens of each, and for each token whether its prediction from those before it counts. The
    ///   first token is never predicted.
    /// - Precondition: no text is empty, and there is a mark for each token.
    package init(_ texts: [(tokens: [Int32], isCounted: [Bool])]) {
        precondition(
            texts.allSatisfy { !$0.tokens.isEmpty && $0.tokens.count == $0.isCounted.count }, "texts and marks")
        labels = Array(repeating: 0, count: texts.count)
        bounds = texts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.tokens.count) }
        tokens = texts.flatMap(\.tokens)
        counts = texts.flatMap(\.isCounted)
    }

    package func tokens(of index: Int) -> ArraySlice<Int32> { tokens[bounds[index]..<bounds[index + 1]] }

    package func isCounted(of index: Int) -> ArraySlice<Bool> { counts[bounds[index]..<bounds[index + 1]] }

    package var tokenCount: Int { tokens.count }
    package var lowestToken: Int32 { tokens.min() ?? 0 }
    package var highestToken: Int32 { tokens.max() ?? 0 }

    package func subset(_ indices: [Int]) -> TokenSequences {
        TokenSequences(indices.map { (Array(tokens(of: $0)), Array(isCounted(of: $0))) })
    }
}
