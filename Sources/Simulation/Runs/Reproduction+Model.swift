import RankwiseWire

extension Reproduction {
    /// The trained model, for images of 28 × 28 in ten classes.
    package enum Model: String, Sendable, CaseIterable {
        /// The paper's MLP, and its maximum ranks.
        case mlp
        /// Two convolutions and two linear layers. The paper does not give the shape of its CNN, so this one is ours.
        /// Each layer's maximum rank is the smaller of its sides.
        case cnn
    }
}

extension Reproduction.Model {
    /// As `ModelRegistry` reads it.
    package var name: String {
        switch self {
        case .mlp: "mlp-784-200-200-10"
        case .cnn: "cnn-28x28x1-16k5-32k5-128-10"
        }
    }

    /// R: a client of rank r has ⌊r·R_m/R⌉ components of a module whose maximum is R_m.
    var maximumRank: Int {
        switch self {
        case .mlp: 160
        case .cnn: 128
        }
    }

    var modules: [String: FederationDocument.Module] {
        switch self {
        case .mlp:
            [
                "fc1": .init(inputs: 784, outputs: 200), "fc2": .init(inputs: 200, outputs: 200),
                "fc3": .init(inputs: 200, outputs: 10, maxRank: 100),
            ]
        case .cnn:
            [
                "conv1": .init(inputs: 1, outputs: 16, maxRank: 16, kernel: [5, 5]),
                "conv2": .init(inputs: 16, outputs: 32, maxRank: 32, kernel: [5, 5]),
                "fc1": .init(inputs: 1568, outputs: 128),
                "fc2": .init(inputs: 128, outputs: 10, maxRank: 10),
            ]
        }
    }
}
