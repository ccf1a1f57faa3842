/// Labelled texts as token numbers, one text after the other.
package struct EncodedTexts: ExampleSet, Equatable {
    package let labels: [Int]
    /// A text's pieces are those from its bound to the next one.
    private let bounds: [Int]
    private let pieces: [Int32]

    /// - Parameter limit: the highest number of pieces kept of a text, including `[CLS]` and `[SEP]`.
    package init(_ texts: TextSet, tokenizer: WordPieceTokenizer, limit: Int) {
        var bounds = [0]
        var pieces: [Int32] = []
        for text in texts.texts {
            pieces.append(contentsOf: tokenizer.tokens(of: text, limit: limit))
            bounds.append(pieces.count)
        }
        self.init(labels: texts.labels, bounds: bounds, pieces: pieces)
    }

    /// - Precondition: every text has at least two pieces, and there is a label for each.
    package init(labels: [Int], texts: [[Int32]]) {
        precondition(labels.count == texts.count && texts.allSatisfy { $0.count >= 2 }, "texts without their ends")
        self.init(
            labels: labels, bounds: texts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) },
            pieces: texts.flatMap(\.self))
    }

    private init(labels: [Int], bounds: [Int], pieces: [Int32]) {
        self.labels = labels
        self.bounds = bounds
        self.pieces = pieces
    }

    /// The pieces of one text.
    package subscript(index: Int) -> ArraySlice<Int32> { pieces[bounds[index]..<bounds[index + 1]] }

    package func count(of index: Int) -> Int { bounds[index + 1] - bounds[index] }

    package var largestPiece: Int32 { pieces.max() ?? 0 }

    /// The same texts with other labels.
    ///
    /// - Precondition: there is a label for each.
    package func relabelled(_ labels: [Int]) -> EncodedTexts {
        precondition(labels.count == self.labels.count, "\(labels.count) labels")
        return EncodedTexts(labels: labels, bounds: bounds, pieces: pieces)
    }

    package func subset(_ indices: [Int]) -> EncodedTexts {
        EncodedTexts(labels: indices.map { labels[$0] }, texts: indices.map { Array(self[$0]) })
    }
}
