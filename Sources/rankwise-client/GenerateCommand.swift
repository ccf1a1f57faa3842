import ArgumentParser
import FoundationEssentials
import ServerCalls
import Training
import TrainingData

/// Goes on with a text, or answers a question, with a language model and an adapter.
struct GenerateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Write text with an adapter on a language model.",
        discussion: """
            Prints the text that the model writes after the prompt. With --ask the prompt is a question, which the \
            model's chat template frames. A file of prompts for --prompts has one a line, and each text is printed as a \
            JSON string on its own line.
            """)

    @OptionGroup var options: WriterOptions
    @Option(help: ArgumentHelp("The text to go on with.", valueName: "text")) var prompt: String?
    @Option(help: ArgumentHelp("A question to answer.", valueName: "text")) var ask: String?
    @Option(help: ArgumentHelp("A file with a prompt on each line.", valueName: "path")) var prompts: String?
    @Option(help: ArgumentHelp("What the model is told before a question.", valueName: "text")) var system: String?

    func validate() throws {
        guard [prompt, ask, prompts].compactMap(\.self).count == 1 else {
            throw ValidationError("give --prompt, --ask or --prompts, one of them")
        }
        guard system == nil || ask != nil else { throw ValidationError("--system needs --ask") }
    }

    func run() throws {
        do {
            let writer = try options.writer()
            if let prompts {
                for line in try String(contentsOfFile: prompts, encoding: .utf8).split(separator: "\n") {
                    let result = try writer.complete(
                        String(line), limit: options.maxTokens, sampling: options.sampling, seed: options.seed)
                    print(try String(decoding: JSONEncoder().encode(result.text), as: UTF8.self))
                }
                return
            }
            if let prompt {
                _ = try writer.complete(
                    prompt, limit: options.maxTokens, sampling: options.sampling, seed: options.seed, show: show)
            } else if let ask {
                let messages =
                    (system.map { [.init(role: .system, content: $0)] } ?? [])
                    + [Dialogue.Message(role: .user, content: ask)]
                _ = try writer.answer(
                    messages, limit: options.maxTokens, sampling: options.sampling, seed: options.seed, show: show)
            }
            try show("\n")
        } catch {
            throw ValidationError("\(error)".printable)
        }
    }

    private func show(_ text: String) throws { try StandardOutput.write(text) }
}
