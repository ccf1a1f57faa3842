import ServerCalls
package import Training

extension Evaluation {
    /// Accuracy and mean loss, and for a language model perplexity and the number of predicted tokens; the same in every
    /// locale.
    package var line: String {
        let words = perplexity.map { "\tperplexity=\($0.fixed(to: 3))\ttokens=\(predictions)" } ?? ""
        return "accuracy=\(accuracy.fixed(to: 4))\tloss=\(loss.fixed(to: 4))" + words
    }
}
