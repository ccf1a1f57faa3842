import LinearAlgebra

/// Which examples every step of a round takes, epoch by epoch, in an order drawn from the seed.
struct ExampleOrder {
    /// The number of epochs, of which the last may be broken off, and of all steps.
    let epochs: Int
    let steps: Int
    private let stepsOfEpoch: Int
    private let stepSize: Int
    private var generator: SeededGenerator
    private var order: [Int]
    private var played = 0

    /// - Parameter examples: the places of those that are trained on.
    init(_ examples: [Int], _ settings: LoopSettings, seed: UInt64) {
        stepSize = settings.batchSize * settings.accumulation
        stepsOfEpoch = (examples.count + stepSize - 1) / stepSize
        steps = settings.steps ?? settings.epochs * stepsOfEpoch
        epochs = (steps + stepsOfEpoch - 1) / stepsOfEpoch
        generator = SeededGenerator(seed: seed, stream: "order of examples")
        order = examples
    }

    /// The steps of the next epoch, each with its number from 0; nil after the last epoch.
    mutating func nextEpoch() -> [(number: Int, examples: ArraySlice<Int>)]? {
        guard played < steps else { return nil }
        order.shuffle(using: &generator)
        let count = min(stepsOfEpoch, steps - played)
        defer { played += count }
        return (0..<count).map { step in
            (played + step, order[step * stepSize..<min((step + 1) * stepSize, order.count)])
        }
    }

    /// The batches of a step, whose gradients are averaged.
    static func batches(of step: ArraySlice<Int>, size: Int) -> [ArraySlice<Int>] {
        stride(from: step.startIndex, to: step.endIndex, by: size).map { step[$0..<min($0 + size, step.endIndex)] }
    }
}
