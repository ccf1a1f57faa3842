/// The pieces of a WordPiece tokenizer. A piece's number is its line in `vocab.txt`, from 0.
///
/// A piece that continues a word begins with `##`.
package struct WordPieceVocabulary: Sendable {
    /// A piece as bytes. Swift compares strings by characters; WordPiece compares bytes.
    struct Piece: Hashable {
        let bytes: ArraySlice<UInt8>

        func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }
    }

    /// The pieces that begin a word, and those that continue one.
    let starts: [Piece: Int32]
    let continuations: [Piece: Int32]
    /// The byte count of the longest piece.
    let longest: Int
    package let count: Int
    /// The number for text that no piece covers.
    let unknown: Int32
    /// The number of the piece before every text.
    let classification: Int32
    /// The number of the piece after every text.
    package let separator: Int32

    /// More pieces than any published vocabulary has.
    private static let limit = 1 << 22

    package init(path: String) throws(TextError) {
        let bytes: [UInt8]
        do throws(DataSetError) { bytes = try FileContents.read(path) } catch { throw .data(error) }
        try self.init(bytes, file: path)
    }

    init(_ bytes: [UInt8], file: String) throws(TextError) {
        var starts: [Piece: Int32] = [:]
        var continuations: [Piece: Int32] = [:]
        var longest = 1
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        guard lines.count <= Self.limit else {
            throw .vocabulary(file: file, reason: "it has \(lines.count) lines; at most \(Self.limit) are read")
        }
        for (number, line) in lines.enumerated() {
            let piece = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            guard String(validating: piece, as: UTF8.self) != nil else { throw .notUTF8(file: file, line: number + 1) }
            if piece.starts(with: "##".utf8), piece.count > 2 {
                continuations[Piece(bytes: piece.dropFirst(2))] = Int32(number)
            } else {
                starts[Piece(bytes: piece)] = Int32(number)
            }
            longest = max(longest, piece.count)
        }
        func special(_ name: String) throws(TextError) -> Int32 {
            guard let number = starts[Piece(bytes: Array(name.utf8)[...])] else {
                throw .vocabulary(file: file, reason: "it lacks \(name)")
            }
            return number
        }
        unknown = try special("[UNK]")
        classification = try special("[CLS]")
        separator = try special("[SEP]")
        self.starts = starts
        self.continuations = continuations
        self.longest = longest
        count = lines.count
    }
}
