/// Charts side by side. They show the same series, each chart with another figure.
package struct ChartGroup: Sendable, Encodable {
    /// A figure and the settings of its axis.
    package struct Kind: Sendable, Encodable {
        package let name: String
        package let unit: String
        /// The factor from the curves' values to the unit.
        package let factor: Double
        /// The number of decimal places.
        package let places: Int
        /// Whether the axis begins at 0.
        package let fromZero: Bool
        /// The upper limit of the axis, in the unit; nil for none.
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

    /// A series, which has one line in every chart.
    package struct Series: Sendable, Encodable {
        package let label: String
        /// One curve for each kind, in order.
        package let curves: [ChartCurve]

        package init(label: String, curves: [ChartCurve]) {
            self.label = label
            self.curves = curves
        }
    }

    /// The name of the steps along the charts, which are numbered from 1.
    package let step: String
    package let kinds: [Kind]
    package let series: [Series]

    package init(step: String, kinds: [Kind], series: [Series]) {
        self.step = step
        self.kinds = kinds
        self.series = series
    }
}
