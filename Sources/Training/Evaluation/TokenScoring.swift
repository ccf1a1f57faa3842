import TrainingData

/// Scores the adapters of one language model on texts, a few texts at a time.
struct TokenScoring {
    let model: any TokenPredictingModel
    /// The number of the model's adapters.
    let adapters: Int

    /// The most tokens at a time under all adapters, beyond one text: enough for fast products.
    private static let tokenLimit = 2048
    /// The most adapters of a model, so that not only their number fills a batch.
    static let adapterLimit = 16

    /// What the model finds for each text under each adapter.
    func results(_ texts: TokenSequences) -> [[BatchResult]] {
        var results = Array(repeating: [BatchResult](), count: adapters)
        let order = Array(0..<texts.count)
        var first = 0
        while first < texts.count {
            var (next, tokens) = (first, 0)
            repeat {
                tokens += texts.tokens(of: next).count * adapters
                next += 1
            } while next < texts.count && tokens + texts.tokens(of: next).count * adapters <= Self.tokenLimit
            for (adapter, found) in model.results(texts, order[first..<next]).enumerated() {
                results[adapter] += found
            }
            first = next
        }
        return results
    }

    /// Each adapter's figures.
    func evaluations(_ texts: TokenSequences, _ choices: TokenChoices?) -> [Evaluation] {
        let scores = choices.map { choices in results(choices.texts).map { choices.score($0.map(\.loss)) } }
        return results(texts).enumerated().map { adapter, results in
            var sum = BatchResult()
            for result in results { sum += result }
            return Evaluation(sum, choices: scores?[adapter])
        }
    }
}
