package import Tokenizers

/// How a conversation is written for a model, and which of it is learned: the assistant's answers alone.
package enum ChatTemplate: String, Sendable, Hashable, CaseIterable {
    /// `<|im_start|>role`, a line end, the content, `<|im_end|>`: SmolLM2, Qwen.
    case chatml
    /// `<|start_header_id|>role<|end_header_id|>`, an empty line, the content, `<|eot_id|>`: Llama 3.
    case llama3
    /// `### Instruction:` and `### Response:` below a preamble, for models without tokens for roles.
    case alpaca
    /// The contents alone, each message on lines of its own.
    case plain

    /// Tokens that must be in the model's vocabulary.
    package var tokens: [String] {
        switch self {
        case .chatml: ["<|im_start|>", "<|im_end|>"]
        case .llama3: ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
        case .alpaca, .plain: []
        }
    }

    /// A token of the template that a vocabulary lacks; nil where it has all.
    package func missingToken(in tokenizer: Tokenizer) -> String? { tokens.first { tokenizer.id(of: $0) == nil } }

    /// Tokens that end an answer.
    package var ends: [String] {
        switch self {
        case .chatml: ["<|im_end|>"]
        case .llama3: ["<|eot_id|>"]
        case .alpaca, .plain: []
        }
    }

    /// A part of a written conversation. Parts are encoded one by one, so an answer begins where generation does.
    struct Part: Equatable {
        var text: String
        /// Whether the loss counts it.
        var isLearned: Bool
        /// Whether the token for the end of a text follows; it is learned as the part is.
        var ends = false
    }

    static let preamble =
        "Below is an instruction that describes a task. Write a response that appropriately completes the request."

    /// The parts in their order: what precedes an answer is one part.
    func parts(of messages: [Dialogue.Message]) -> [Part] {
        var parts: [Part] = []
        var before = self == .alpaca && messages.first?.role != .system ? Self.preamble : ""
        for message in messages {
            guard message.role == .assistant else {
                before += written(message)
                continue
            }
            before += opening(.assistant)
            if !before.isEmpty { parts.append(Part(text: before, isLearned: false)) }
            parts.append(answer(message.content))
            before = afterAnswer
        }
        // What follows the last answer teaches nothing, but for what closes it.
        if self == .chatml, !before.isEmpty { parts.append(Part(text: before, isLearned: false)) }
        return parts
    }

    /// What a model goes on from: all messages, and the start of an answer.
    package func prompt(for messages: [Dialogue.Message]) -> String {
        var parts = parts(of: messages + [.init(role: .assistant, content: "")])
        if self == .chatml { parts.removeLast() }
        return parts.dropLast().map(\.text).joined()
    }

    private func opening(_ role: Dialogue.Message.Role) -> String {
        switch self {
        case .chatml: "<|im_start|>\(role.rawValue)\n"
        case .llama3: "<|start_header_id|>\(role.rawValue)<|end_header_id|>\n\n"
        case .alpaca: role == .assistant ? "\n\n### Response:\n" : role == .user ? "\n\n### Instruction:\n" : ""
        case .plain: ""
        }
    }

    /// A message that is not learned, with its end.
    private func written(_ message: Dialogue.Message) -> String {
        let text = opening(message.role)
        switch self {
        case .chatml: return text + message.content + "<|im_end|>\n"
        case .llama3: return text + message.content.trimmed + "<|eot_id|>"
        case .alpaca: return text + message.content
        case .plain: return message.content + "\n"
        }
    }

    private func answer(_ content: String) -> Part {
        switch self {
        case .chatml: Part(text: content + "<|im_end|>", isLearned: true)
        case .llama3: Part(text: content.trimmed + "<|eot_id|>", isLearned: true)
        case .alpaca, .plain: Part(text: content, isLearned: true, ends: true)
        }
    }

    private var afterAnswer: String {
        switch self {
        case .chatml, .plain: "\n"
        case .llama3, .alpaca: ""
        }
    }
}

extension String {
    /// Without white space at both ends.
    fileprivate var trimmed: String {
        func isSpace(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isWhitespace }
        let start = unicodeScalars.drop(while: isSpace)
        guard let last = start.lastIndex(where: { !isSpace($0) }) else { return "" }
        return String(start[...last])
    }
}
