/// The layers of a multilayer perceptron, as in its name: `mlp-64-200-200-10`.
///
/// The layers `fc1`, `fc2`, … are linear, with a ReLU between them.
package struct PerceptronShape: Sendable, Hashable {
    package struct Layer: Sendable, Hashable {
        package let name: String
        package let inputs: Int
        package let outputs: Int
    }

    package let layers: [Layer]

    package var inputs: Int { layers[0].inputs }
    package var classes: Int { layers[layers.count - 1].outputs }

    /// The limit on a model's weights, so that a name cannot request more memory than a small machine has.
    static let weightLimit = 1 << 28

    package init(name: String) throws(TrainingError) {
        let parts = name.split(separator: "-", omittingEmptySubsequences: false)
        let widths = parts.dropFirst().compactMap { part in
            part.utf8.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 } ? Int(part) : nil
        }
        guard parts.first == Substring(PerceptronBase.kind), widths.count == parts.count - 1,
            (2...33).contains(widths.count),
            widths.allSatisfy({ (1...1_000_000).contains($0) })
        else { throw .model(name, reason: "expected \(PerceptronBase.form)") }
        layers = zip(widths, widths.dropFirst()).enumerated().map { index, widths in
            Layer(name: "fc\(index + 1)", inputs: widths.0, outputs: widths.1)
        }
        let weights = layers.reduce(0) { $0 + $1.inputs * $1.outputs }
        guard weights <= Self.weightLimit else {
            throw .model(name, reason: "\(weights) weights; at most \(Self.weightLimit) are supported")
        }
    }
}
