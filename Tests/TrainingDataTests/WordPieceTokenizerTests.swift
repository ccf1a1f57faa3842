import Foundation
import Testing

@testable import TrainingData

@Suite struct WordPieceTokenizerTests {
    private struct Case: Decodable {
        let text: String
        let limit: Int
        let tokens: [Int32]
    }

    private static func fixture(_ name: String) throws -> String {
        try #require(Bundle.module.resourceURL).path + "/Fixtures/" + name
    }

    @Test func `text becomes the pieces that transformers makes of it`() throws {
        let tokenizer = WordPieceTokenizer(vocabulary: try WordPieceVocabulary(path: Self.fixture("vocab.txt")))
        let bytes = try #require(FileManager.default.contents(atPath: Self.fixture("tokens.json")))
        let cases = try JSONDecoder().decode([Case].self, from: bytes)
        #expect(cases.count > 50)
        for example in cases {
            #expect(
                tokenizer.tokens(of: example.text, limit: example.limit) == example.tokens,
                "\(example.text.debugDescription)")
        }
    }

    @Test func `a cased tokenizer leaves letters as they are`() throws {
        let vocabulary = try WordPieceVocabulary(Array("[UNK]\n[CLS]\n[SEP]\nA\na\né\n##é\n".utf8), file: "v")
        let tokenizer = WordPieceTokenizer(vocabulary: vocabulary, isUncased: false)
        #expect(tokenizer.tokens(of: "A a é", limit: 9) == [1, 3, 4, 5, 2])
        #expect(tokenizer.tokens(of: "aé e\u{301}", limit: 9) == [1, 4, 6, 0, 2])
    }

    @Test func `lines of a vocabulary may end in a carriage return`() throws {
        let vocabulary = try WordPieceVocabulary(Array("[UNK]\r\n[CLS]\r\n[SEP]\r\nab\r\n##c".utf8), file: "v")
        #expect(vocabulary.count == 5)
        #expect(WordPieceTokenizer(vocabulary: vocabulary).tokens(of: "abc", limit: 9) == [1, 3, 4, 2])
    }

    @Test(arguments: ["[UNK]", "[CLS]", "[SEP]"])
    func `a vocabulary without a special piece is refused`(piece: String) {
        let others = ["[UNK]", "[CLS]", "[SEP]", "a"].filter { $0 != piece }.joined(separator: "\n")
        #expect(throws: TextError.vocabulary(file: "v", reason: "it lacks \(piece)")) {
            try WordPieceVocabulary(Array(others.utf8), file: "v")
        }
    }

    @Test func `a vocabulary that is not UTF-8 is refused by line`() {
        #expect(throws: TextError.notUTF8(file: "v", line: 2)) {
            try WordPieceVocabulary(Array("[UNK]\n".utf8) + [0xFF, 0x0A], file: "v")
        }
    }

    @Test func `a missing vocabulary is refused by name`() {
        #expect(throws: TextError.data(.unreadable(file: "/nowhere/vocab.txt", reason: "No such file or directory"))) {
            try WordPieceVocabulary(path: "/nowhere/vocab.txt")
        }
    }
}
