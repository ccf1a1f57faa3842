/// What a file says of its tokenizer, before it is made ready for use.
struct TokenizerDefinition: Sendable {
    /// How texts become the first tokens, which merges then join.
    enum Kind: Sendable, Hashable {
        /// A token for each byte of each word.
        case byteLevel(WordPattern)
        /// A token for each character, with `▁` in place of spaces; in bytes where it has none.
        case sentencePiece(SpacePrefix)
    }

    /// Where SentencePiece's `▁` comes before a text that has no space there.
    enum SpacePrefix: Sendable, Hashable {
        case never
        /// Before the start of the whole text.
        case first
        /// Before each text between added tokens.
        case each
        /// The same, also where the text begins with a space.
        case eachAlways
    }

    struct AddedToken: Sendable, Hashable {
        let id: Int32
        let content: String
        /// Whether it marks a place, and is no text.
        let isSpecial: Bool
        /// Whether it is looked for after the text was normalised.
        let isNormalised: Bool
    }

    /// For errors.
    var file: String
    var kind: Kind = .byteLevel(.gpt2)
    /// Whether texts are brought to Unicode's form NFC first.
    var composes = false
    /// Whether a word that is a token is not made of merges.
    var ignoresMerges = false
    /// SentencePiece: whether `▁` begins a new word wherever it stands.
    var splitsAtSpaces = false
    /// SentencePiece: whether characters without a token become tokens of bytes.
    var fallsBackToBytes = false
    /// The token of what has no other.
    var unknown: Int32?
    /// Whether neighbouring unknown characters become one token.
    var fusesUnknown = false
    /// Whether decoding drops one space at the start.
    var stripsFirstSpace = false
    /// As the file spells them; nil where an id has no token.
    var tokens: [String?] = []
    var merges: [(left: String, right: String)] = []
    var added: [AddedToken] = []
    /// Before and after each text, where they are asked for.
    var start: [Int32] = []
    var end: [Int32] = []
}
