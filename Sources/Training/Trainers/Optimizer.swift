import Glibc
import LinearAlgebra

/// Stochastic gradient descent with momentum, or AdamW, both as PyTorch defines them.
///
/// Its velocities and moments begin at zero in every round.
final class Optimizer {
    private struct State {
        let tensor: TrainedTensor
        /// SGD's velocity, or AdamW's first moment.
        let first: FloatBlock
        /// AdamW's second moment.
        let second: FloatBlock
        /// The learning rate in units of the settings' one.
        let rate: Double
    }

    private let settings: OptimizerSettings
    private let states: [State]
    private let parts: BatchParts
    private var steps = 0

    /// The count of numbers below which waking a second thread takes longer than its half of the work.
    private static let leastForTwoThreads = 1 << 15

    /// - Parameters:
    ///   - rates: the learning rate of each tensor in units of the settings' one; all 1 where absent.
    ///   - parts: whether both halves of the numbers are updated in parallel.
    init(
        _ settings: OptimizerSettings, for tensors: [TrainedTensor], rates: [Double]? = nil,
        parts: BatchParts = BatchParts(threads: 2)
    ) {
        self.settings = settings
        let count = tensors.reduce(0) { $0 + $1.rows * $1.columns }
        self.parts = count < Self.leastForTwoThreads ? BatchParts(threads: 1) : parts
        states = tensors.enumerated().map { index, tensor in
            let count = tensor.rows * tensor.columns
            return State(
                tensor: tensor, first: FloatBlock(count: count),
                second: FloatBlock(count: settings.kind == .adamw ? count : 0), rate: rates?[index] ?? 1)
        }
    }

    /// Updates every tensor by its gradient.
    ///
    /// - Parameters:
    ///   - factor: the factor of the learning rate.
    ///   - clipNorm: the limit on the norm of all gradients together; larger ones are scaled down.
    func step(factor: Double, clipNorm: Double?) {
        steps += 1
        let clipping = clipNorm.map { min(1, $0 / (gradientNorm + 1e-6)) } ?? 1
        let rate = settings.learningRate * factor
        parts.perform { index in
            for state in states {
                let part = BatchParts.part(index, of: state.tensor.rows * state.tensor.columns)
                let rate = rate * state.rate
                switch settings.kind {
                case .sgd: descend(state, part, rate: Float(rate), clipping: Float(clipping))
                case .adamw: adapt(state, part, rate: rate, clipping: Float(clipping))
                }
            }
        }
    }

    /// √Σ g² over all tensors.
    var gradientNorm: Double {
        states.reduce(0.0) { sum, state in
            let gradient = state.tensor.gradient.floats
            var sums = SIMD8<Double>()
            for first in stride(from: 0, to: gradient.count - gradient.count % 8, by: 8) {
                var block = SIMD8<Double>()
                for offset in 0..<8 { block[offset] = Double(gradient[first + offset]) }
                sums += block * block
            }
            let rest = gradient[(gradient.count - gradient.count % 8)...].reduce(0.0) { $0 + Double($1) * Double($1) }
            return sum + sums.sum() + rest
        }.squareRoot()
    }

    /// velocity ← momentum·velocity + gradient + decay·value; value ← value − rate·velocity.
    private func descend(_ state: State, _ part: Range<Int>, rate: Float, clipping: Float) {
        guard let values = state.tensor.values.floats.baseAddress,
            let gradient = state.tensor.gradient.floats.baseAddress, let velocity = state.first.floats.baseAddress
        else { return }
        let (momentum, decay) = (settings.momentum, Float(settings.weightDecay))
        for index in part {
            let moved = momentum * velocity[index] + (clipping * gradient[index] + decay * values[index])
            velocity[index] = moved
            values[index] -= rate * moved
        }
    }

    /// Decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101), with bias-corrected moments.
    private func adapt(_ state: State, _ part: Range<Int>, rate: Double, clipping: Float) {
        guard let values = state.tensor.values.floats.baseAddress,
            let gradient = state.tensor.gradient.floats.baseAddress, let first = state.first.floats.baseAddress,
            let second = state.second.floats.baseAddress
        else { return }
        let (beta1, beta2) = (Float(settings.beta1), Float(settings.beta2))
        let kept = Float(1 - rate * settings.weightDecay)
        let size = Float(rate / (1 - pow(settings.beta1, Double(steps))))
        let root = Float((1 - pow(settings.beta2, Double(steps))).squareRoot())
        let epsilon = Float(settings.epsilon)
        for index in part {
            let clipped = clipping * gradient[index]
            first[index] = beta1 * first[index] + (1 - beta1) * clipped
            second[index] = beta2 * second[index] + (1 - beta2) * clipped * clipped
            values[index] = kept * values[index] - size * first[index] / (second[index].squareRoot() / root + epsilon)
        }
    }
}
