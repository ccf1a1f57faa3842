import LinearAlgebra
import Tokenizers
package import TrainingData

/// Writes text with a language model and an adapter, on the base as it is in its file. What was computed for the text so
/// far is kept, so a conversation goes on where it ended.
package final class TextWriter {
    /// Why a text ended.
    package enum End: Sendable, Hashable {
        /// The model ended it.
        case ended
        /// The limit of new tokens was reached.
        case limit
        /// The context is full.
        case full
    }

    package struct Result: Sendable, Hashable {
        package let text: String
        /// The number of tokens that were read and not known yet, and of those that were written.
        package let read: Int
        package let written: Int
        package let end: End
    }

    private let continuation: DecoderContinuation
    private let tokenizer: Tokenizer
    private let template: ChatTemplate
    /// The tokens that end an answer or a text.
    private let ends: Set<Int32>
    /// The tokens so far.
    private var tokens: [Int32] = []

    init(
        _ continuation: DecoderContinuation, tokenizer: Tokenizer, template: ChatTemplate, endOfText: Int32?
    ) {
        self.continuation = continuation
        self.tokenizer = tokenizer
        self.template = template
        ends = Set(template.ends.compactMap(tokenizer.id(of:)) + [endOfText].compactMap(\.self))
    }

    /// The most tokens of prompt and text together.
    package var capacity: Int { continuation.capacity }

    /// Goes on with a text; blocks.
    ///
    /// - Parameter show: gets each piece of the text when it is complete.
    package func complete(
        _ prompt: String, limit: Int, sampling: Sampling = Sampling(), seed: UInt64 = 0,
        show: (String) throws -> Void = { _ in }
    ) throws -> Result {
        try write(after: tokenizer.start + tokenizer.encode(prompt), limit, sampling, seed, show)
    }

    /// Answers the last message of a conversation; blocks.
    package func answer(
        _ messages: [Dialogue.Message], limit: Int, sampling: Sampling = Sampling(), seed: UInt64 = 0,
        show: (String) throws -> Void = { _ in }
    ) throws -> Result {
        try write(
            after: tokenizer.start + tokenizer.encode(template.prompt(for: messages)), limit, sampling, seed, show)
    }

    private func write(
        after prompt: [Int32], _ limit: Int, _ sampling: Sampling, _ seed: UInt64, _ show: (String) throws -> Void
    ) throws -> Result {
        guard !prompt.isEmpty else { throw TrainingError.data(reason: "the prompt is empty") }
        guard prompt.count < capacity else {
            throw TrainingError.data(
                reason: "the prompt has \(prompt.count) tokens; \(capacity) are the most, with at least one to write")
        }
        // At least the last token is read again, for its logits. The last one that was written was never read.
        let known = min(zip(tokens, prompt).prefix { $0 == $1 }.count, continuation.count, prompt.count - 1)
        continuation.rewind(to: known)
        var logits = continuation.take(Array(prompt[known...]))
        tokens = prompt
        var generator = SeededGenerator(seed: seed, stream: "generation")
        var decoder = TokenDecoder(tokenizer, skipsSpecial: true)
        var (text, written, end) = ("", 0, End.limit)
        while written < limit {
            let next = sampling.choose(Array(logits.prefix(tokenizer.count)), using: &generator)
            if ends.contains(next) {
                end = .ended
                break
            }
            tokens.append(next)
            written += 1
            let piece = decoder.append(next)
            text += piece
            if !piece.isEmpty { try show(piece) }
            guard tokens.count < capacity else {
                end = .full
                break
            }
            if written < limit { logits = continuation.take([next]) }
        }
        let rest = decoder.finish()
        if !rest.isEmpty { try show(rest) }
        return Result(text: text + rest, read: prompt.count - known, written: written, end: end)
    }
}
