package import CoreMetrics
import Synchronization

/// The backend of swift-metrics: keeps the cells of all metrics and adds them up for a scrape.
///
/// A metric that is made twice with the same labels has two cells, so that two threads need not share one. Making a metric
/// takes a lock; changing it does not.
package final class MetricsRegistry: MetricsFactory {
    private enum Cell {
        case counter(CounterCell)
        case gauge(GaugeCell)
        case histogram(HistogramCell)
    }

    /// The cells of one metric, by their labels in the order in which they were made.
    private struct Family {
        let declaration: MetricDeclaration
        var places: [String: Int] = [:]
        var series: [(labels: [(String, String)], cells: [Cell])] = []
    }

    private struct State {
        var families: [String: Family] = [:]
        var order: [String]
        var undeclared: Set<String> = []
    }

    private let declarations: [String: MetricDeclaration]
    private let state: Mutex<State>

    /// - Parameter declarations: the metrics that will be made, in the order in which they are written.
    package init(declaring declarations: [MetricDeclaration]) {
        self.declarations = Dictionary(declarations.map { ($0.name, $0) }) { first, _ in first }
        state = Mutex(State(order: declarations.map(\.name)))
    }

    /// The names of the metrics that were made without a declaration, or with labels other than the declared ones. They
    /// are written too.
    package var undeclared: [String] { state.withLock { $0.undeclared.sorted() } }

    /// All metrics that were made, with what they hold now.
    package var families: [MetricFamily] {
        state.withLock { state in
            state.order.compactMap { name in
                guard let family = state.families[name] else { return nil }
                var written = MetricFamily(family.declaration)
                for (labels, cells) in family.series { written.add(Self.sum(cells), labels) }
                return written
            }
        }
    }

    private static func sum(_ cells: [Cell]) -> MetricFamily.Value {
        var number = 0.0
        var histogram: (counts: [Int], sum: Double)?
        for cell in cells {
            switch cell {
            case .counter(let cell): number += Double(cell.value)
            case .gauge(let cell): number += cell.value
            case .histogram(let cell):
                guard case .histogram(let counts, let sum) = cell.value else { continue }
                let known = histogram ?? (counts.map { _ in 0 }, 0)
                histogram = (zip(known.counts, counts).map(+), known.sum + sum)
            }
        }
        return histogram.map { .histogram(counts: $0.counts, sum: $0.sum) } ?? .number(number)
    }

    private func keep(_ cell: Cell, _ label: String, _ labels: [(String, String)], _ kind: MetricDeclaration.Kind) {
        let name = label.metricName
        let declared = declarations[name]
        let names = labels.map { $0.0.metricName }
        state.withLock { state in
            if declared == nil || declared?.labels != names { state.undeclared.insert(name) }
            if state.families[name] == nil {
                let declaration =
                    declared ?? MetricDeclaration(name, kind, labels: names, "This metric is not declared.")
                state.families[name] = Family(declaration: declaration)
                if declared == nil { state.order.append(name) }
            }
            let key = labels.map { "\($0.0)\u{0}\($0.1)" }.joined(separator: "\u{0}")
            if let place = state.families[name]?.places[key] {
                state.families[name]?.series[place].cells.append(cell)
            } else {
                let place = state.families[name]?.series.count
                state.families[name]?.places[key] = place
                state.families[name]?.series.append((Array(zip(names, labels.map(\.1))), [cell]))
            }
        }
    }

    /// The bounds that the metric declares.
    private func bounds(of label: String) -> [Double] {
        guard case .histogram(let bounds) = declarations[label.metricName]?.kind else {
            return MetricDeclaration.secondBounds
        }
        return bounds
    }
}

extension MetricsRegistry {
    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        let cell = CounterCell()
        keep(.counter(cell), label, dimensions, .counter)
        return cell
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        let cell = GaugeCell()
        keep(.gauge(cell), label, dimensions, .gauge)
        return cell
    }

    package func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else {
            let cell = GaugeCell()
            keep(.gauge(cell), label, dimensions, .gauge)
            return cell
        }
        let cell = HistogramCell(bounds: bounds(of: label))
        keep(.histogram(cell), label, dimensions, .histogram(bounds: bounds(of: label)))
        return cell
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        let cell = HistogramCell(bounds: bounds(of: label))
        keep(.histogram(cell), label, dimensions, .histogram(bounds: bounds(of: label)))
        return cell
    }

    // What was counted stays: a counter that vanished would look like a restart.
    package func destroyCounter(_: any CounterHandler) {}
    package func destroyMeter(_: any MeterHandler) {}
    package func destroyRecorder(_: any RecorderHandler) {}
    package func destroyTimer(_: any TimerHandler) {}
}

extension String {
    /// The text as a metric's or label's name: letters, digits and underscores, not beginning with a digit.
    fileprivate var metricName: String {
        let isPlain: (UInt8) -> Bool = { byte in
            (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")) || byte == UInt8(ascii: "_")
                || (byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9"))
        }
        let name = String(decoding: utf8.map { isPlain($0) ? $0 : UInt8(ascii: "_") }, as: UTF8.self)
        return name.first?.isNumber ?? true ? "_" + name : name
    }
}
