package import AdapterFormat

/// One client's part in a round.
package struct Contribution: Sendable {
    /// Names order the sums.
    package let client: String
    package let adapter: AdapterFile
    package let samples: Int
    /// The scale that the client trained every module with; nil where it follows from the federation's scaling and the
    /// rank.
    package let scale: Double?

    package init(client: String, adapter: AdapterFile, samples: Int, scale: Double? = nil) {
        self.client = client
        self.adapter = adapter
        self.samples = samples
        self.scale = scale
    }
}
