import AdapterFormat
import LinearAlgebra

extension BertEncoder {
    /// Writes the sums of the embeddings of a text's first `length` pieces and of their positions to `rows`, without
    /// normalisation.
    ///
    /// - Precondition: the text has at least that many pieces, the model that many positions, and `rows` that many
    ///   rows.
    func sumEmbeddings(_ pieces: ArraySlice<Int32>, length: Int, into rows: MutableMatrixView) {
        let hidden = configuration.hidden
        for position in 0..<length {
            // A truncated text still ends in [SEP].
            let piece = Int(position == length - 1 ? separator : pieces[pieces.startIndex + position])
            let values = UnsafeMutableBufferPointer(start: rows.base + position * rows.stride, count: hidden)
            words.decode(rows: piece..<piece + 1, into: values)
            let offset = position * hidden
            for column in 0..<hidden { values[column] += positions.floats[offset + column] }
        }
    }
}
