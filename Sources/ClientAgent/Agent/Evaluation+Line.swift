import ServerCalls
package import Training

extension Evaluation {
    /// Accuracy and mean loss, and for a language model perplexity, the number of predicted tokens, and how often the right
    /// option was chosen; the same in every locale.
    package var line: String {
        let words = perplexity.map { "\tperplexity=\($0.fixed(to: 3))\ttokens=\(predictions)" } ?? ""
        return "accuracy=\(accuracy.fixed(to: 4))\tloss=\(loss.fixed(to: 4))" + words + (choices?.words ?? "")
    }
}

extension Evaluation.Choices {
    fileprivate var words: String {
        "\tchoices=\(count)\tchoice_accuracy=\(accuracy.fixed(to: 4))"
            + "\tchoice_accuracy_per_byte=\(normalisedAccuracy.fixed(to: 4))"
            + (tooLong > 0 ? "\tchoices_too_long=\(tooLong)" : "")
    }
}
