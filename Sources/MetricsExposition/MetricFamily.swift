/// One metric with its samples, as it is written for a scrape.
package struct MetricFamily: Sendable {
    package typealias Labels = [(name: String, value: String)]

    package enum Value: Sendable, Hashable {
        case number(Double)
        /// - Parameters:
        ///   - counts: the observations in each bucket alone; the last bucket has no bound.
        ///   - sum: the sum of all observations.
        case histogram(counts: [Int], sum: Double)
    }

    package let declaration: MetricDeclaration
    package private(set) var samples: [(labels: Labels, value: Value)] = []

    package init(_ declaration: MetricDeclaration) { self.declaration = declaration }

    package mutating func add(_ value: Double, _ labels: Labels = []) { samples.append((labels, .number(value))) }
    package mutating func add(_ value: Int, _ labels: Labels = []) { add(Double(value), labels) }
    mutating func add(_ value: Value, _ labels: Labels) { samples.append((labels, value)) }
}
