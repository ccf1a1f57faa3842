/// Writes families as text in one of the formats.
package struct ExpositionWriter {
    private let format: ExpositionFormat
    private var bytes: [UInt8] = []

    package init(_ format: ExpositionFormat) { self.format = format }

    /// The whole text of these families. A family without samples is left out.
    package static func write(_ families: [MetricFamily], as format: ExpositionFormat) -> [UInt8] {
        var writer = ExpositionWriter(format)
        for family in families where !family.samples.isEmpty { writer.write(family) }
        if format == .openMetrics { writer.bytes += "# EOF\n".utf8 }
        return writer.bytes
    }

    private mutating func write(_ family: MetricFamily) {
        let declaration = family.declaration
        let name = format == .openMetrics ? declaration.familyName : declaration.name
        bytes += "# HELP \(name) ".utf8
        escape(declaration.help, quotes: format == .openMetrics)
        bytes += "\n# TYPE \(name) \(declaration.kindName)\n".utf8
        if format == .openMetrics, let unit = declaration.unit, name.hasSuffix("_" + unit) {
            bytes += "# UNIT \(name) \(unit)\n".utf8
        }
        for (labels, value) in family.samples {
            switch value {
            case .number(let number): line(declaration.name, labels, number)
            case .histogram(let counts, let sum): histogram(declaration, labels, counts, sum)
            }
        }
    }

    /// Each bucket's line counts the observations of all buckets up to it.
    private mutating func histogram(
        _ declaration: MetricDeclaration, _ labels: MetricFamily.Labels, _ counts: [Int], _ sum: Double
    ) {
        guard case .histogram(let bounds) = declaration.kind else { return }
        var total = 0
        for (index, count) in counts.enumerated() {
            total += count
            let bound = index < bounds.count ? "\(bounds[index])" : "+Inf"
            line(declaration.name + "_bucket", labels + [("le", bound)], Double(total))
        }
        line(declaration.name + "_sum", labels, sum)
        line(declaration.name + "_count", labels, Double(total))
    }

    private mutating func line(_ name: String, _ labels: MetricFamily.Labels, _ value: Double) {
        bytes += name.utf8
        var opening = UInt8(ascii: "{")
        for (name, value) in labels {
            bytes.append(opening)
            opening = UInt8(ascii: ",")
            bytes += name.utf8
            bytes += "=\"".utf8
            escape(value, quotes: true)
            bytes.append(UInt8(ascii: "\""))
        }
        if !labels.isEmpty { bytes.append(UInt8(ascii: "}")) }
        bytes.append(UInt8(ascii: " "))
        number(value)
        bytes.append(UInt8(ascii: "\n"))
    }

    private mutating func number(_ value: Double) {
        if value.isNaN {
            bytes += "NaN".utf8
        } else if value.isInfinite {
            bytes += (value > 0 ? "+Inf" : "-Inf").utf8
        } else if let whole = Int(exactly: value), abs(whole) < 1 << 53 {
            bytes += "\(whole)".utf8
        } else {
            bytes += "\(value)".utf8
        }
    }

    private mutating func escape(_ text: String, quotes: Bool) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): bytes += "\\\\".utf8
            case UInt8(ascii: "\n"): bytes += "\\n".utf8
            case UInt8(ascii: "\"") where quotes: bytes += "\\\"".utf8
            default: bytes.append(byte)
            }
        }
    }
}
