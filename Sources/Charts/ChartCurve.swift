/// One number per step: the mean over grouped values, and their range.
package struct ChartCurve: Sendable, Hashable, Codable {
    package let mean: [Double]
    package let low: [Double]
    package let high: [Double]

    package init(mean: [Double], low: [Double], high: [Double]) {
        self.mean = mean
        self.low = low
        self.high = high
    }
}
