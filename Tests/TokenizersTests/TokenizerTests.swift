import Foundation
import Testing

@testable import Tokenizers

/// The ids are those of the tokenizers library; `scripts/check_tokens.py` compares megabytes of text.
struct TokenizerTests {
    private struct Expected: Decodable {
        struct File: Decodable {
            let ids: [[Int32]]
            let texts: [String]
            let marked: [Int32]
        }

        let texts: [String]
        let files: [String: File]
    }

    static let files =
        ["gpt2", "smollm", "llama3", "qwen2"].flatMap { [$0 + ".json", $0 + ".gguf"] }
        + ["spm-older.json", "spm-newer.json", "spm-split.json", "spm-unknown.json", "spm.gguf"]

    private func expected() throws -> Expected {
        try JSONDecoder().decode(Expected.self, from: Data(contentsOf: URL(filePath: Fixtures.path("expected.json"))))
    }

    @Test(arguments: files)
    func `texts have the ids of the tokenizers library, and ids its texts`(file: String) throws {
        let all = try expected()
        let expected = try #require(all.files[file])
        let tokenizer = try Fixtures.tokenizer(file)
        var encoder = TokenEncoder(tokenizer)
        for (index, text) in all.texts.enumerated() {
            let ids = encoder.encode(text)
            #expect(ids == expected.ids[index], "\(text)")
            #expect(tokenizer.decode(ids).utf8.elementsEqual(expected.texts[index].utf8), "\(text)")
        }
        #expect(tokenizer.encode("x", marksEnds: true) == expected.marked)
    }

    @Test(arguments: ["gpt2.json", "spm-newer.json"])
    func `text that comes token by token is the same, and holds no half character`(file: String) throws {
        let tokenizer = try Fixtures.tokenizer(file)
        for text in try expected().texts {
            var decoder = TokenDecoder(tokenizer)
            var parts = tokenizer.encode(text).map { decoder.append($0) }
            parts.append(decoder.finish())
            #expect(parts.joined() == tokenizer.decode(tokenizer.encode(text)))
            #expect(text.contains("\u{FFFD}") || !parts.joined().contains("\u{FFFD}"))
        }
    }

    @Test func `special tokens are left out of a text where asked for`() throws {
        let tokenizer = try Fixtures.tokenizer("gpt2.json")
        let ids = tokenizer.encode("<|im_start|>a<|im_end|>")
        #expect(ids.first == tokenizer.id(of: "<|im_start|>"))
        #expect(tokenizer.decode(ids, skipsSpecial: true) == "a")
        #expect(tokenizer.id(of: "no such token") == nil)
    }

    @Test func `long words are merged as short ones are`() throws {
        let tokenizer = try Fixtures.tokenizer("gpt2.json")
        var encoder = TokenEncoder(tokenizer)
        let word = String(repeating: "retrieval", count: 30)
        // 270 letters go through the queue; in lower-case words of up to 48 bytes all ranks are looked through.
        var merger = PairMerger(tokenizer.merges)
        merger.tokens = word.utf8.map { tokenizer.byteTokens[Int($0)] }
        while let place = merger.tokens.indices.dropLast().filter({
            tokenizer.merges.merge(merger.tokens[$0], merger.tokens[$0 + 1]) != nil
        }).min(by: { rank(tokenizer, merger, $0) < rank(tokenizer, merger, $1) }) {
            let merge = try #require(tokenizer.merges.merge(merger.tokens[place], merger.tokens[place + 1]))
            merger.tokens.replaceSubrange(place...place + 1, with: [merge.result])
        }
        #expect(encoder.encode(word) == merger.tokens)
    }

    private func rank(_ tokenizer: Tokenizer, _ merger: PairMerger, _ place: Int) -> UInt32 {
        tokenizer.merges.merge(merger.tokens[place], merger.tokens[place + 1])?.rank ?? .max
    }
}
