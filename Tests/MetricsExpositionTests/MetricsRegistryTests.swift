import CoreMetrics
import MetricsExposition
import Testing

/// Counters and histograms of swift-metrics, as a scrape shows them.
@Suite struct MetricsRegistryTests {
    private static let declarations: [MetricDeclaration] = [
        .init("calls_total", .counter, labels: ["route"], "Calls."),
        .init("wait_seconds", .histogram(bounds: [0.1, 1]), unit: "seconds", "Waits."),
        .init("open", .gauge, "Open things."),
    ]

    private let registry = MetricsRegistry(declaring: declarations)

    private var text: String { String(decoding: ExpositionWriter.write(registry.families, as: .text), as: UTF8.self) }

    @Test func `cells of one series are added up`() {
        let cells = (0..<3).map { _ in
            Counter(label: "calls_total", dimensions: [("route", "/a")], factory: registry)
        }
        Counter(label: "calls_total", dimensions: [("route", "/b")], factory: registry).increment()
        for (index, cell) in cells.enumerated() { cell.increment(by: index + 1) }
        #expect(
            text == """
                # HELP calls_total Calls.
                # TYPE calls_total counter
                calls_total{route="/a"} 6
                calls_total{route="/b"} 1

                """)
    }

    @Test func `threads that count at once lose nothing`() async {
        let counter = Counter(label: "calls_total", dimensions: [("route", "/")], factory: registry)
        let timer = Timer(label: "wait_seconds", dimensions: [], factory: registry)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<1000 {
                        counter.increment()
                        timer.recordNanoseconds(500_000_000)
                    }
                }
            }
        }
        #expect(text.contains("calls_total{route=\"/\"} 8000\n"))
        #expect(text.contains("wait_seconds_bucket{le=\"1.0\"} 8000\n"))
        #expect(text.contains("wait_seconds_sum 4000\n"))
    }

    @Test func `an observation is in the bucket whose bound it does not exceed`() {
        let timer = Timer(label: "wait_seconds", dimensions: [], factory: registry)
        // 0 s, the first bound itself, just above it, the second bound, and far beyond.
        for nanoseconds in [0, 100_000_000, 100_000_001, 1_000_000_000, 90_000_000_000] as [Int64] {
            timer.recordNanoseconds(nanoseconds)
        }
        #expect(text.contains("wait_seconds_bucket{le=\"0.1\"} 2\n"))
        #expect(text.contains("wait_seconds_bucket{le=\"1.0\"} 4\n"))
        #expect(text.contains("wait_seconds_bucket{le=\"+Inf\"} 5\n"))
        #expect(text.contains("wait_seconds_count 5\n"))
    }

    @Test func `a gauge goes up and down over all its cells`() {
        let meters = (0..<2).map { _ in Meter(label: "open", dimensions: [], factory: registry) }
        meters[0].set(5)
        meters[1].increment(by: 2.5)
        meters[0].decrement()
        #expect(text.contains("open 6.5\n"))
    }

    @Test func `a metric without a declaration is shown and named`() {
        Counter(label: "other.calls", dimensions: [("the route", "x")], factory: registry).increment()
        Counter(label: "calls_total", dimensions: [("path", "x")], factory: registry).increment()
        #expect(registry.undeclared == ["calls_total", "other_calls"])
        #expect(text.contains("other_calls{the_route=\"x\"} 1\n"))
    }
}
