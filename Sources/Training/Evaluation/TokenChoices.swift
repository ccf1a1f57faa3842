import TrainingData

/// Prompts with several completions, of which one is right, as a language model takes them.
package struct TokenChoices: Sendable {
    struct Choice: Sendable {
        /// The texts of its options, in their order.
        let texts: Range<Int>
        /// The length of each option.
        let bytes: [Int]
        /// The place of the right one.
        let answer: Int
    }

    /// The prompt with each option, whose tokens alone count.
    let texts: TokenSequences
    let choices: [Choice]
    /// The number of choices with an option that does not fit into a text; they are left out.
    let tooLong: Int

    /// How often the right option is the likeliest.
    ///
    /// - Parameter losses: each text's, summed over its counted tokens.
    func score(_ losses: [Double]) -> Evaluation.Choices {
        func share(_ loss: (Choice, Int) -> Double) -> Double {
            let right = choices.filter { choice in
                choice.bytes.indices.min { loss(choice, $0) < loss(choice, $1) } == choice.answer
            }
            return Double(right.count) / Double(max(1, choices.count))
        }
        return Evaluation.Choices(
            count: choices.count, tooLong: tooLong, accuracy: share { losses[$0.texts.lowerBound + $1] },
            normalisedAccuracy: share { losses[$0.texts.lowerBound + $1] / Double(max(1, $0.bytes[$1])) })
    }
}

extension Evaluation {
    /// How often the right one of several options is the likeliest after its prompt.
    package struct Choices: Sendable, Hashable {
        package let count: Int
        /// The number of those left out because an option does not fit into `max_length` tokens.
        package let tooLong: Int
        /// By the sum of the option's log-likelihoods, 0 to 1.
        package let accuracy: Double
        /// By that sum for each byte of the option (UTF-8).
        package let normalisedAccuracy: Double
    }
}
