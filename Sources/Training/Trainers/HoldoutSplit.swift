import LinearAlgebra

/// Which of a client's examples it trains on, and which it holds out to score adapters on.
///
/// One of so many examples in a row is held out, drawn from the seed. So the split is the same in every round, and it
/// stays when examples are added at the end.
struct HoldoutSplit: Sendable, Hashable {
    let kept: [Int]
    /// Empty where there are too few examples.
    let heldOut: [Int]

    /// - Parameter share: the share of the examples to hold out, between 0 and 1; nil for none.
    init(count: Int, share: Double?, seed: UInt64) {
        var heldOut: [Int] = []
        if let share, share > 0, share < 1 {
            var generator = SeededGenerator(seed: seed, stream: "held out for evaluations")
            var first = 0
            var block = 1
            while first < count {
                let next = max(first + 1, Int((Double(block) / share).rounded(.up)))
                // A block that the examples do not fill may have its example beyond their end.
                let drawn = first + Int(generator.next(upperBound: UInt64(next - first)))
                if drawn < count { heldOut.append(drawn) }
                first = next
                block += 1
            }
        }
        guard !heldOut.isEmpty, heldOut.count < count else {
            (kept, self.heldOut) = (Array(0..<count), [])
            return
        }
        let out = Set(heldOut)
        (kept, self.heldOut) = ((0..<count).filter { !out.contains($0) }, heldOut)
    }

    /// The held-out examples to score: all, or as many as take a twentieth of the round's training.
    ///
    /// A training step takes about as long as scoring its examples twice, so the bound does not depend on clocks.
    func scored(_ settings: LoopSettings, seed: UInt64) -> [Int] {
        let perStep = settings.batchSize * settings.accumulation
        let trained =
            settings.steps.map { $0.multipliedReportingOverflow(by: perStep) }
            ?? settings.epochs
            .multipliedReportingOverflow(by: kept.count)
        let most = trained.overflow ? heldOut.count : max(settings.batchSize, trained.partialValue / 10)
        guard most < heldOut.count else { return heldOut }
        var generator = SeededGenerator(seed: seed, stream: "scored in evaluations")
        return heldOut.shuffled(using: &generator).prefix(most).sorted()
    }
}
