/// Charts side by side that show the same series, each another figure of them.
package struct ChartGroup: Sendable, Encodable {
    /// A figure, and how its axis goes.
    package struct Kind: Sendable, Encodable {
        package let name: String
        package let unit: String
        /// From the curves' values to the unit.
        package let factor: Double
        /// Digits behind the point.
        package let places: Int
        /// Whether the axis begins at 0.
        package let fromZero: Bool
        /// The axis goes no higher, in the unit.
        package let limit: Double?
        package let isHigherBetter: Bool

        package init(
            name: String, unit: String, factor: Double, places: Int, fromZero: Bool = false, limit: Double? = nil,
            isHigherBetter: Bool = false
        ) {
            self.name = name
            self.unit = unit
            self.factor = factor
            self.places = places
            self.fromZero = fromZero
            self.limit = limit
            self.isHigherBetter = isHigherBetter
        }
    }

    /// What has one line in every chart.
    package struct Series: Sendable, Encodable {
        package let label: String
        /// One for each kind, in their order.
        package let curves: [ChartCurve]

        package init(label: String, curves: [ChartCurve]) {
            self.label = label
            self.curves = curves
        }
    }

    /// What is counted along the charts, from 1 on.
    package let step: String
    package let kinds: [Kind]
    package let series: [Series]

    package init(step: String, kinds: [Kind], series: [Series]) {
        self.step = step
        self.kinds = kinds
        self.series = series
    }
}
