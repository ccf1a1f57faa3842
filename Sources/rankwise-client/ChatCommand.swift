import ArgumentParser
import ServerCalls
import Training
import TrainingData

/// A conversation with a language model and an adapter, line by line.
struct ChatCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Talk with an adapter on a language model.",
        discussion: """
            Reads a message a line from standard input and prints the answer to each. /new begins a new conversation. The \
            conversation ends with the input, or when the context is full.
            """)

    @OptionGroup var options: WriterOptions
    @Option(help: ArgumentHelp("What the model is told first.", valueName: "text")) var system: String?

    func run() throws {
        do {
            let writer = try options.writer()
            let first = system.map { [Dialogue.Message(role: .system, content: $0)] } ?? []
            var messages = first
            while true {
                if StandardOutput.isTerminal { try StandardOutput.write("> ") }
                guard let line = readLine() else { break }
                if line == "/new" {
                    messages = first
                    continue
                }
                guard !line.isEmpty else { continue }
                messages.append(.init(role: .user, content: line))
                let result = try writer.answer(
                    messages, limit: options.maxTokens, sampling: options.sampling, seed: options.seed,
                    show: StandardOutput.write)
                try StandardOutput.write("\n")
                messages.append(.init(role: .assistant, content: result.text))
                guard result.end != .full else {
                    throw ValidationError("the context of \(writer.capacity) tokens is full")
                }
            }
        } catch let error as ValidationError {
            throw error
        } catch {
            throw ValidationError("\(error)".printable)
        }
    }
}
