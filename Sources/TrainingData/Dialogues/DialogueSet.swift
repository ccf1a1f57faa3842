import StrictJSON

/// The examples of a file, in its order.
///
/// Each line is an object: `{"messages": [{"role": …, "content": …}, …]}`, `{"prompt": …, "completion": …}`,
/// `{"prompt": …, "options": ["…", …], "answer": the place of the right one, from 0 on}` or `{"text": …}`. Other keys are refused by name and line. Empty lines are ignored.
package struct DialogueSet: Sendable, Hashable {
    package let dialogues: [Dialogue]

    /// Reads a file of JSON Lines.
    package init(path: String) throws(TextError) {
        let bytes: [UInt8]
        do throws(DataSetError) { bytes = try FileContents.read(path) } catch { throw .data(error) }
        try self.init(bytes, file: path)
    }

    /// - Precondition: there is at least one.
    package init(_ dialogues: [Dialogue]) {
        precondition(!dialogues.isEmpty, "no dialogues")
        self.dialogues = dialogues
    }

    init(_ bytes: [UInt8], file: String) throws(TextError) {
        guard !bytes.starts(with: [0x1F, 0x8B]) else { throw .data(.compressed(file: file)) }
        let content = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...]
        var dialogues: [Dialogue] = []
        let lines = content.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where !line.allSatisfy({ [0x20, 0x09, 0x0D].contains($0) }) {
            let reader = DialogueReader(file: file, line: index + 1)
            dialogues.append(try reader.dialogue(line))
        }
        guard !dialogues.isEmpty else { throw .empty(file: file) }
        self.dialogues = dialogues
    }
}

/// Dialogues have no classes: `labels` is zero for each.
extension DialogueSet: ExampleSet {
    package var labels: [Int] { Array(repeating: 0, count: dialogues.count) }
    package var count: Int { dialogues.count }

    package func subset(_ indices: [Int]) -> DialogueSet { DialogueSet(indices.map { dialogues[$0] }) }
}

/// Reads one line; an error names it.
private struct DialogueReader {
    let file: String
    let line: Int

    private static let forms: [Set<String>] = [
        ["messages"], ["prompt", "completion"], ["prompt", "options", "answer"], ["text"],
    ]

    private func refusal(_ reason: String) -> TextError { .dialogue(file: file, line: line, reason: reason) }

    func dialogue(_ bytes: ArraySlice<UInt8>) throws(TextError) -> Dialogue {
        let node: JSONNode
        do {
            node = try bytes.withUnsafeBytes { try JSONNode(parsing: $0) }
        } catch {
            throw refusal("not sound JSON: \(error)")
        }
        guard case .object(let members) = node else { throw refusal("expected an object, found \(node.summary)") }
        guard Self.forms.contains(Set(members.keys)) else {
            throw refusal(
                "expected the keys \"messages\", or \"prompt\" and \"completion\", or \"prompt\", \"options\" and \"answer\", or "
                    + "\"text\", found "
                    + (members.isEmpty ? "none" : members.keys.sorted().map(\.jsonQuoted).joined(separator: ", ")))
        }
        if let messages = members["messages"] { return .messages(try self.messages(messages)) }
        if let text = members["text"] { return .text(try string(text, "text", mayBeEmpty: false)) }
        if let options = members["options"] {
            return try choice(options, answer: members["answer"] ?? .null, prompt: members["prompt"] ?? .null)
        }
        return .completion(
            prompt: try string(members["prompt"] ?? .null, "prompt", mayBeEmpty: true),
            completion: try string(members["completion"] ?? .null, "completion", mayBeEmpty: false))
    }

    private func choice(
        _ node: JSONNode, answer: JSONNode, prompt: JSONNode
    ) throws(TextError) -> Dialogue {
        guard case .array(let elements) = node, elements.count >= 2 else {
            throw refusal("\"options\" is \(node.summary); expected an array of at least two texts")
        }
        var options: [String] = []
        for (index, element) in elements.enumerated() {
            options.append(try string(element, "options[\(index)]", mayBeEmpty: false))
        }
        guard case .number(let number) = answer, let place = Int(exactly: number), options.indices.contains(place)
        else {
            throw refusal("\"answer\" is \(answer.summary); expected the place of an option, 0 to \(options.count - 1)")
        }
        return .choice(
            prompt: try string(prompt, "prompt", mayBeEmpty: true), options: options, answer: place)
    }

    private func string(_ node: JSONNode, _ name: String, mayBeEmpty: Bool) throws(TextError) -> String {
        guard case .string(let text) = node else {
            throw refusal("\(name.jsonQuoted) is \(node.summary); expected a string")
        }
        guard mayBeEmpty || !text.isEmpty else { throw refusal("\(name.jsonQuoted) is empty; expected a text") }
        return text
    }

    private func messages(_ node: JSONNode) throws(TextError) -> [Dialogue.Message] {
        guard case .array(let elements) = node else {
            throw refusal("\"messages\" is \(node.summary); expected an array of messages")
        }
        var messages: [Dialogue.Message] = []
        for (index, element) in elements.enumerated() {
            guard case .object(let members) = element, Set(members.keys) == ["role", "content"] else {
                throw refusal("message \(index + 1): expected an object with the keys \"role\" and \"content\" alone")
            }
            let name = try string(members["role"] ?? .null, "role", mayBeEmpty: false)
            guard let role = Dialogue.Message.Role(rawValue: name) else {
                throw refusal(
                    "message \(index + 1): the role is \(name.jsonQuoted); expected \"system\", \"user\" or \"assistant\""
                )
            }
            guard role != .system || index == 0 else {
                throw refusal("message \(index + 1): a system message can only be the first")
            }
            messages.append(
                .init(role: role, content: try string(members["content"] ?? .null, "content", mayBeEmpty: true)))
        }
        guard messages.contains(where: { $0.role == .assistant }) else {
            throw refusal("no message is the assistant's; expected at least one, for nothing else is learned")
        }
        return messages
    }
}
