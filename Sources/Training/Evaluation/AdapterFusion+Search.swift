import AdapterFormat
package import AdapterOperations

extension AdapterFusion {
    /// The weight of the penalty p + s, which keeps both small where they do not change the loss.
    private static let penalty = 0.05
    private static let limit = 1.5
    private static let smallestStep = 0.0625

    /// Finds weights with a low loss on a task by a pattern search without gradients. It begins at the best of four
    /// points. All neighbours of a point are scored in one pass, and the step is halved where none is better. Blocks.
    ///
    /// The objective is the mean loss + 0.05·(p + s). Weights are in 0 to 1.5.
    ///
    /// - Parameter folder: the folder for the candidates' files.
    package func search(
        on task: NativeTask, settings: TrainingSettings, folder: String
    ) throws -> (weights: MixingWeights, evaluation: Evaluation) {
        var seen: [MixingWeights: Evaluation] = [:]
        func cost(_ weights: MixingWeights) -> Double {
            let loss = seen[weights]?.loss ?? .infinity
            return (loss.isFinite ? loss : .infinity) + Self.penalty * (weights.personal + weights.shared)
        }
        func visit(_ all: [MixingWeights]) throws {
            let new = all.filter { seen[$0] == nil }
            let adapters = try new.enumerated().map { number, weights in
                let path = "\(folder)/candidate-\(number).safetensors"
                try write(weights, to: path)
                return ScoredAdapter(path: path, scales: shape.maximumRanks.mapValues { _ in 1 })
            }
            for (weights, result) in zip(new, try task.score(adapters, settings: settings)) { seen[weights] = result }
        }
        var corners: [MixingWeights] = []
        for (personal, shared) in [(0, 1), (1, 0), (0.5, 0.5), (1, 1)] as [(Double, Double)] {
            corners.append(MixingWeights(personal: personal, shared: shared))
        }
        try visit(corners)
        var best = corners.min { cost($0) < cost($1) } ?? corners[0]
        var step = 0.5
        while step >= Self.smallestStep {
            var neighbours: [MixingWeights] = []
            for (x, y) in [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)] as [(Double, Double)] {
                let (personal, shared) = (best.personal + step * x, best.shared + step * y)
                guard (0...Self.limit).contains(personal), (0...Self.limit).contains(shared) else { continue }
                neighbours.append(MixingWeights(personal: personal, shared: shared))
            }
            try visit(neighbours)
            if let next = neighbours.min(by: { cost($0) < cost($1) }), cost(next) < cost(best) {
                best = next
            } else {
                step /= 2
            }
        }
        guard let evaluation = seen[best], evaluation.loss.isFinite else {
            throw TrainingError.data(reason: "no mixture of the adapters has a finite loss")
        }
        return (best, evaluation)
    }
}
