package import AdapterFormat
import Glibc

/// One client's part in a round.
package struct Contribution: Sendable {
    /// Names order the sums.
    package let client: String
    package let samples: Int
    /// The scale that the client trained every module with; nil where it follows from the federation's scaling and the
    /// rank.
    package let scale: Double?
    /// On the client's validation data, for `ranking` weights.
    package let accuracy: Double?
    /// What its weight is multiplied by, for an update that began from an older adapter.
    package let discount: Double
    /// Opens the client's file, validated before.
    let open: @Sendable () throws -> AdapterFile

    /// - Parameter open: opens the client's file, once; a round of many clients holds little of each.
    package init(
        client: String, samples: Int, scale: Double? = nil, accuracy: Double? = nil, discount: Double = 1,
        open: @escaping @Sendable () throws -> AdapterFile
    ) {
        self.client = client
        self.samples = samples
        self.scale = scale
        self.accuracy = accuracy
        self.discount = discount
        self.open = open
    }

    package init(
        client: String, adapter: AdapterFile, samples: Int, scale: Double? = nil, accuracy: Double? = nil,
        discount: Double = 1
    ) {
        self.init(client: client, samples: samples, scale: scale, accuracy: accuracy, discount: discount) { adapter }
    }

    /// FedBuff's discount of an update that began `age` versions ago: 1/(1+τ)^a (arXiv 2106.06639).
    ///
    /// - Precondition: `age` is at least 0.
    package static func stalenessDiscount(age: Int, exponent: Double = 0.5) -> Double {
        1 / pow(Double(1 + age), exponent)
    }
}
