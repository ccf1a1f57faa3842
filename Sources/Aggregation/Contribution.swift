package import AdapterFormat
import Glibc

/// One client's part in a round.
package struct Contribution: Sendable {
    /// The sums run in the order of the names.
    package let client: String
    package let samples: Int
    /// The scale with which the client trained every module; nil where the federation's scaling and the rank determine
    /// it.
    package let scale: Double?
    /// Measured on the client's validation data, for `ranking` weights.
    package let accuracy: Double?
    /// What the client reports, for weights by `loss`.
    package let loss: Double?
    /// SHA-256 of the client's file in hexadecimal digits, which a partial sum lists.
    package let digest: String?
    /// A factor of its weight, for an update that started from an older adapter.
    package let discount: Double
    /// Opens the client's file, which was validated before.
    let open: @Sendable () throws -> AdapterFile

    /// - Parameter open: opens the client's file, once; so a round of many clients holds little of each.
    package init(
        client: String, samples: Int, scale: Double? = nil, accuracy: Double? = nil, loss: Double? = nil,
        discount: Double = 1, digest: String? = nil, open: @escaping @Sendable () throws -> AdapterFile
    ) {
        self.client = client
        self.samples = samples
        self.scale = scale
        self.accuracy = accuracy
        self.loss = loss
        self.discount = discount
        self.digest = digest
        self.open = open
    }

    package init(
        client: String, adapter: AdapterFile, samples: Int, scale: Double? = nil, accuracy: Double? = nil,
        loss: Double? = nil, discount: Double = 1, digest: String? = nil
    ) {
        self.init(
            client: client, samples: samples, scale: scale, accuracy: accuracy, loss: loss, discount: discount,
            digest: digest
        ) { adapter }
    }

    /// FedBuff's discount of an update that started `age` versions ago: 1/(1+τ)^a with τ = `age` (arXiv 2106.06639).
    ///
    /// - Precondition: `age` is at least 0.
    package static func stalenessDiscount(age: Int, exponent: Double = 0.5) -> Double {
        1 / pow(Double(1 + age), exponent)
    }
}
