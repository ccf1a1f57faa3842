import Foundation
import Testing
import Tokenizers

@testable import TrainingData

/// Which texts the templates write, what of them is learned, and which files are refused.
@Suite struct DialogueTests {
    private static let messages: [Dialogue.Message] = [
        .init(role: .system, content: "S"), .init(role: .user, content: "Q"), .init(role: .assistant, content: "A"),
        .init(role: .user, content: "R"), .init(role: .assistant, content: "B"),
    ]

    private func text(_ template: ChatTemplate, learned: Bool) -> [String] {
        template.parts(of: Self.messages).filter { $0.isLearned == learned }.map(\.text)
    }

    /// As transformers' `apply_chat_template` writes them for SmolLM2 and Llama 3.
    @Test func `templates write what transformers writes`() {
        func whole(_ template: ChatTemplate) -> String { template.parts(of: Self.messages).map(\.text).joined() }
        #expect(
            whole(.chatml)
                == "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n"
                + "<|im_start|>user\nR<|im_end|>\n<|im_start|>assistant\nB<|im_end|>\n")
        #expect(
            whole(.llama3)
                == "<|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n"
                + "Q<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nA<|eot_id|>"
                + "<|start_header_id|>user<|end_header_id|>\n\nR<|eot_id|>"
                + "<|start_header_id|>assistant<|end_header_id|>\n\nB<|eot_id|>")
        #expect(
            whole(.alpaca) == "S\n\n### Instruction:\nQ\n\n### Response:\nA\n\n### Instruction:\nR\n\n### Response:\nB")
        #expect(whole(.plain) == "S\nQ\nA\nR\nB")
    }

    @Test(arguments: ChatTemplate.allCases)
    func `the answers alone are learned, with their end`(template: ChatTemplate) {
        let ends = template.ends.first ?? ""
        #expect(text(template, learned: true) == ["A" + ends, "B" + ends])
        #expect(!text(template, learned: false).joined().contains("A"))
        let prompt = template.prompt(for: Array(Self.messages.prefix(2)))
        #expect(template.parts(of: Array(Self.messages.prefix(3)))[0].text == prompt)
    }

    @Test func `without a system message alpaca begins with its preamble`() {
        let parts = ChatTemplate.alpaca.parts(of: Array(Self.messages[1..<3]))
        #expect(parts[0].text == ChatTemplate.preamble + "\n\n### Instruction:\nQ\n\n### Response:\n")
    }

    private static func tokenizer() throws -> Tokenizer {
        let json = """
            {"version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
             "added_tokens": [{"id": 3, "content": "<|end|>", "single_word": false, "lstrip": false, "rstrip": false,
                               "normalized": false, "special": true}],
             "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
             "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
             "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                       "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                       "vocab": {"a": 0, "b": 1, "ab": 2, "<|end|>": 3}, "merges": [["a", "b"]]}}
            """
        return try Array(json.utf8).withUnsafeBytes { try Tokenizer(json: $0, file: "tokenizer.json") }
    }

    @Test func `ids and what is learned are as long, and a text ends with its token`() throws {
        var encoder = try DialogueEncoder(try Self.tokenizer(), template: .plain, endOfText: 3)
        #expect(encoder.encode(.text("abb")) == TokenExample(ids: [2, 1, 3], lossMask: [false, true, true]))
        #expect(
            encoder.encode(.completion(prompt: "a", completion: "ab"))
                == TokenExample(ids: [0, 2, 3], lossMask: [false, true, true]))
        // Nothing precedes the first token, so nothing predicts it.
        #expect(
            encoder.encode(.completion(prompt: "", completion: "b"))
                == TokenExample(ids: [1, 3], lossMask: [false, true]))
    }

    @Test func `a template whose tokens the model lacks is refused`() throws {
        let tokenizer = try Self.tokenizer()
        #expect(throws: TextError.template(name: "chatml", token: "<|im_start|>")) {
            try DialogueEncoder(tokenizer, template: .chatml, endOfText: nil)
        }
    }

    @Test func `a file holds dialogues of three forms`() throws {
        let lines = """
            {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}

            {"prompt": "", "completion": "c"}
            {"text": "t"}
            """
        let set = try DialogueSet(Array(lines.utf8), file: "d.jsonl")
        #expect(
            set.dialogues == [
                .messages([.init(role: .user, content: "q"), .init(role: .assistant, content: "a")]),
                .completion(prompt: "", completion: "c"), .text("t"),
            ])
        #expect(set.labels == [0, 0, 0] && set.subset([2]).dialogues == [.text("t")])
    }

    @Test(arguments: [
        ("[]", "expected an object"), ("{", "not sound JSON"), (#"{"text": 1}"#, "expected a string"),
        (#"{"text": ""}"#, "is empty"), (#"{"text": "t", "label": 1}"#, "\"label\""), ("{}", "found none"),
        (#"{"prompt": "p"}"#, "\"completion\""), (#"{"prompt": "p", "completion": ""}"#, "is empty"),
        (#"{"messages": {}}"#, "expected an array"), (#"{"messages": [1]}"#, "message 1"),
        (#"{"messages": [{"role": "user", "content": "q"}]}"#, "no message is the assistant's"),
        (#"{"messages": [{"role": "tool", "content": "q"}]}"#, "\"tool\""),
        (
            #"{"messages": [{"role": "assistant", "content": "a"}, {"role": "system", "content": "s"}]}"#,
            "message 2: a system message can only be the first"
        ),
        (#"{"messages": [{"role": "assistant", "content": "a", "name": "x"}]}"#, "alone"),
    ])
    func `a line that is none is refused with its number`(line: String, said: String) {
        let error = #expect(throws: TextError.self) {
            try DialogueSet(Array("{\"text\": \"t\"}\n\(line)".utf8), file: "d.jsonl")
        }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains("d.jsonl, line 2: ") && text.contains(said), "\(text)")
    }
}
