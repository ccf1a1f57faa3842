import ArgumentParser
import ModelFiles
import StrictJSON
import Tokenizers
import TrainingData

/// `rankwise-lab tokenize`: shows the token ids of a file of texts.
struct TokenizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenize",
        abstract: "Show the token ids of examples.",
        discussion: """
            Prints a JSON object a line: "ids", "text" (what the ids decode to), and for conversations and completions \
            "learned", which is 1 where the loss counts a token.
            """)

    @Option(help: "A GGUF file, a folder with tokenizer.json, or a tokenizer.json.") var base: String
    @Option(
        help: """
            JSON Lines of "messages", of "prompt" and "completion", of "prompt", "options" and "answer", or of "text".
            """)
    var data: String
    @Option(help: "For conversations and completions: chatml, llama3, alpaca or plain.") var template = "chatml"

    func run() throws {
        guard let template = ChatTemplate(rawValue: template) else {
            let known = ChatTemplate.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--template is \"\(self.template)\"; expected one of \(known)")
        }
        do {
            let model = base.hasSuffix(".json") ? nil : try ModelFile(path: base)
            let tokenizer = try model.map { try Tokenizer($0) } ?? Tokenizer(path: base)
            var encoder = TokenEncoder(tokenizer)
            for dialogue in try DialogueSet(path: data).dialogues {
                if case .text(let text) = dialogue {
                    show(encoder.encode(text), nil, tokenizer)
                } else {
                    var dialogues = try DialogueEncoder(
                        tokenizer, template: template, endOfText: model?.configuration.endOfText.map { Int32($0) })
                    let example = dialogues.encode(dialogue)
                    show(example.ids, example.lossMask, tokenizer)
                }
            }
        } catch {
            throw ValidationError("\(error)")
        }
    }

    private func show(_ ids: [Int32], _ mask: [Bool]?, _ tokenizer: Tokenizer) {
        let learned = mask.map { ",\"learned\":[\($0.map { $0 ? "1" : "0" }.joined(separator: ","))]" } ?? ""
        let numbers = ids.map(String.init).joined(separator: ",")
        print("{\"ids\":[\(numbers)],\"text\":\(tokenizer.decode(ids).jsonQuoted)\(learned)}")
    }
}
