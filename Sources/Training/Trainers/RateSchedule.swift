import Glibc

/// How the learning rate changes over the steps of a round, as in the schedules of Hugging Face's transformers.
struct RateSchedule: Sendable, Hashable {
    enum Kind: String, CaseIterable {
        case constant
        case linear
        case cosine
    }

    enum WarmUp: Sendable, Hashable {
        case steps(Int)
        /// The share of all steps of the round, rounded up.
        case share(Double)
    }

    var kind: Kind
    var warmUp: WarmUp

    init(_ settings: TrainingSettings) throws(TrainingError) {
        kind = try settings.choice("schedule", default: .constant)
        let steps = try settings.count("warmup_steps", in: 0...1_000_000_000, default: 0)
        let share = try settings.number("warmup_share", in: 0...1, default: 0)
        guard settings["warmup_steps"] == nil || settings["warmup_share"] == nil else {
            throw .setting("warmup_share", expected: "warmup_steps or warmup_share", found: "both")
        }
        warmUp = share > 0 ? .share(share) : .steps(steps)
    }

    /// The factor of the learning rate in a step, counted from 0. It grows from 0 during the warm-up. Then it stays, or
    /// falls to 0 at `total` along a line or half a cosine.
    func factor(step: Int, of total: Int) -> Double {
        let warm =
            switch warmUp {
            case .steps(let steps): steps
            case .share(let share): Int((share * Double(total)).rounded(.up))
            }
        if step < warm { return Double(step) / Double(warm) }
        let progress = Double(step - warm) / Double(max(1, total - warm))
        return switch kind {
        case .constant: 1
        case .linear: max(0, 1 - progress)
        case .cosine: max(0, 0.5 * (1 + cos(.pi * progress)))
        }
    }
}
