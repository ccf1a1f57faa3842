import MetricsExposition
import Testing

/// The text of both formats.
@Suite struct ExpositionTests {
    private func text(_ family: MetricFamily, as format: ExpositionFormat) -> String {
        String(decoding: ExpositionWriter.write([family], as: format), as: UTF8.self)
    }

    @Test(arguments: ExpositionFormat.allCases)
    func `label values are escaped`(format: ExpositionFormat) {
        var family = MetricFamily(.init("a", .gauge, labels: ["name"], "A."))
        family.add(1, [("name", "back\\slash, \"quotes\", new\nline, ü")])
        #expect(
            text(family, as: format).contains(#"a{name="back\\slash, \"quotes\", new\nline, ü"} 1"# + "\n"))
    }

    @Test func `help is escaped as its format asks`() {
        var family = MetricFamily(.init("a", .gauge, "Says \"a\\b\"\nand more."))
        family.add(1)
        #expect(text(family, as: .text).hasPrefix(#"# HELP a Says "a\\b"\nand more."# + "\n"))
        #expect(text(family, as: .openMetrics).hasPrefix(#"# HELP a Says \"a\\b\"\nand more."# + "\n"))
    }

    @Test func `OpenMetrics names a counter's family without its ending, says the unit, and ends`() {
        var family = MetricFamily(.init("sent_bytes_total", .counter, unit: "bytes", "Sent."))
        family.add(3)
        #expect(
            text(family, as: .openMetrics) == """
                # HELP sent_bytes Sent.
                # TYPE sent_bytes counter
                # UNIT sent_bytes bytes
                sent_bytes_total 3
                # EOF

                """)
        #expect(
            text(family, as: .text) == """
                # HELP sent_bytes_total Sent.
                # TYPE sent_bytes_total counter
                sent_bytes_total 3

                """)
    }

    @Test(arguments: [
        (0.0, "0"), (-3, "-3"), (0.25, "0.25"), (1e15, "1000000000000000"), (1e300, "1e+300"), (.nan, "NaN"),
        (.infinity, "+Inf"), (-.infinity, "-Inf"),
    ])
    func `numbers are written so that a scraper reads them`(value: Double, expected: String) {
        var family = MetricFamily(.init("a", .gauge, "A."))
        family.add(value)
        #expect(text(family, as: .text).hasSuffix("\na \(expected)\n"))
    }

    @Test func `a family without samples is left out`() {
        #expect(text(MetricFamily(.init("a", .gauge, "A.")), as: .text).isEmpty)
    }

    @Test(arguments: [
        (nil, ExpositionFormat.text), ("", .text), ("*/*", .text), ("text/plain", .text), ("application/json", .text),
        ("application/openmetrics-text", .openMetrics), ("application/openmetrics-text; version=1.0.0", .openMetrics),
        ("application/openmetrics-text; version=\"1.0.0\"; charset=utf-8", .openMetrics),
        ("application/openmetrics-text; version=0.0.1", .text), ("application/openmetrics-text;q=0", .text),
        ("application/openmetrics-text;q=0.2, text/plain;q=0.5", .text),
        // As Prometheus asks.
        (
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                + "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", .openMetrics
        ),
    ])
    func `the format follows Accept`(accept: String?, format: ExpositionFormat) {
        #expect(ExpositionFormat(accept: accept) == format)
    }
}
