package import Tokenizers

/// A dialogue as token ids, with what the loss counts.
package struct TokenExample: Sendable, Hashable {
    package let ids: [Int32]
    /// As long as `ids`: whether the loss counts the prediction of this token. It never counts the first one's, which
    /// follows nothing.
    package let lossMask: [Bool]

    package init(ids: [Int32], lossMask: [Bool]) {
        self.ids = ids
        self.lossMask = lossMask
    }
}

/// Writes dialogues by a chat template and encodes them.
package struct DialogueEncoder {
    private let template: ChatTemplate
    private let tokenizer: Tokenizer
    /// The token that ends a text.
    private let endOfText: Int32?
    private var encoder: TokenEncoder

    /// - Parameter endOfText: the token that ends a text; nil where the model has none.
    /// - Throws: where the vocabulary lacks a token of the template.
    package init(_ tokenizer: Tokenizer, template: ChatTemplate, endOfText: Int32?) throws(TextError) {
        if let token = template.missingToken(in: tokenizer) {
            throw .template(name: template.rawValue, token: token)
        }
        self.template = template
        self.tokenizer = tokenizer
        self.endOfText = endOfText
        encoder = TokenEncoder(tokenizer)
    }

    /// The ids of a dialogue: the tokenizer's start, then the parts that the template writes.
    ///
    /// A prompt with its completion is a question with its answer, except that `plain` joins the two as they are. A text
    /// is learned as a whole, without a template. Of a choice the right option is the completion.
    package mutating func encode(_ dialogue: Dialogue) -> TokenExample {
        let parts: [ChatTemplate.Part]
        switch dialogue {
        case .messages(let messages): parts = template.parts(of: messages)
        case .completion(let prompt, let completion) where template == .plain:
            parts = [
                .init(text: prompt, isLearned: false), .init(text: completion, isLearned: true, ends: true),
            ]
        case .completion(let prompt, let completion):
            parts = template.parts(of: [
                .init(role: .user, content: prompt), .init(role: .assistant, content: completion),
            ])
        case .choice(let prompt, let options, let answer):
            return encode(.completion(prompt: prompt, completion: options[answer]))
        case .text(let text): parts = [.init(text: text, isLearned: true, ends: true)]
        }
        var ids = tokenizer.start
        var mask = ids.map { _ in false }
        for part in parts {
            var added = encoder.encode(part.text, isStart: ids.count == tokenizer.start.count)
            if part.ends, let endOfText { added.append(endOfText) }
            ids += added
            mask += added.map { _ in part.isLearned }
        }
        if !mask.isEmpty { mask[0] = false }
        return TokenExample(ids: ids, lossMask: mask)
    }
}
