/// A metric as it is declared once: its name, its kind, and its meaning.
package struct MetricDeclaration: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        /// Only grows. Its name ends in `_total`.
        case counter
        case gauge
        /// - Parameter bounds: the upper bounds of the buckets, ascending and finite; the bucket without a bound is added.
        case histogram(bounds: [Double])
    }

    package let name: String
    package let kind: Kind
    /// The unit that ends the name, such as `seconds` or `bytes`; nil for plain numbers.
    package let unit: String?
    /// The names of the labels.
    package let labels: [String]
    /// One sentence.
    package let help: String

    package init(_ name: String, _ kind: Kind, unit: String? = nil, labels: [String] = [], _ help: String) {
        self.name = name
        self.kind = kind
        self.unit = unit
        self.labels = labels
        self.help = help
    }

    /// The name without the ending that OpenMetrics adds to each sample of a counter.
    var familyName: String { kind == .counter && name.hasSuffix("_total") ? String(name.dropLast(6)) : name }

    /// The kind in both formats.
    package var kindName: String {
        switch kind {
        case .counter: "counter"
        case .gauge: "gauge"
        case .histogram: "histogram"
        }
    }
}

extension MetricDeclaration {
    /// Bounds for times, from half a millisecond to a minute; seconds.
    package static let secondBounds = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]
}
