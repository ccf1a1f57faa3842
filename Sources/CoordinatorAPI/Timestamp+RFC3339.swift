package import Federation
import Foundation

/// Timestamps in RFC 3339, formatted and parsed by Foundation's ISO 8601.
extension Timestamp {
    private static let wholeSeconds = Date.ISO8601FormatStyle()
    private static let withMilliseconds = Date.ISO8601FormatStyle(includingFractionalSeconds: true)

    /// UTC with milliseconds, such as `2026-11-21T03:43:00.250Z`.
    var timestamp: String {
        // Foundation truncates below a millisecond. Adding half a millisecond keeps a rounded `Date` from losing one.
        Date(timeIntervalSince1970: (Double(milliseconds) + 0.5) / 1000).formatted(Self.withMilliseconds)
    }

    /// Reads RFC 3339, such as `2026-11-21T03:43:00.25+01:00`; nil for other texts and for years before 1970.
    ///
    /// Foundation's parser also accepts 30 February, 24:00, `GMT+1`, single digits and trailing text. So it receives
    /// the parts in one fixed form, and its result must format to the same text.
    package init?(timestamp text: String) {
        guard let separator = text.dropFirst(10).first, "Tt ".contains(separator) else { return nil }
        // A leap second counts as the first of the next minute.
        let isLeapSecond = text.dropFirst(17).hasPrefix("60")
        let clock = text.dropFirst(11).prefix(6) + (isLeapSecond ? "59" : text.dropFirst(17).prefix(2))
        guard let local = Self.secondsSince1970("\(text.prefix(10))T\(clock)Z"), local >= 0 else { return nil }
        var rest = text.dropFirst(19)
        var milliseconds: Int64 = 0
        if rest.first == "." {
            let digits = rest.dropFirst().prefix { $0.isASCII && $0.isNumber }
            // Finer digits are ignored.
            guard !digits.isEmpty, let value = Int64((digits + "00").prefix(3)) else { return nil }
            milliseconds = value
            rest = rest.dropFirst(1 + digits.count)
        }
        var offset: Int64 = 0
        if rest != "Z", rest != "z" {
            guard let sign = rest.first, "+-".contains(sign),
                let ahead = Self.secondsSince1970("1970-01-01T\(rest.dropFirst()):00Z")
            else { return nil }
            offset = sign == "+" ? ahead : -ahead
        }
        self.init(milliseconds: 1000 * (local - offset + (isLeapSecond ? 1 : 0)) + milliseconds)
    }

    /// Accepts exactly the texts that the formatter writes.
    private static func secondsSince1970(_ text: String) -> Int64? {
        guard let date = try? wholeSeconds.parse(text), date.formatted(wholeSeconds) == text else { return nil }
        return Int64(date.timeIntervalSince1970)
    }
}
