import ArgumentParser
import Foundation

/// How long a token is good, such as `90s`, `30m`, `12h`, `7d` or `2w`.
struct Lifetime: ExpressibleByArgument, Sendable, Hashable {
    let seconds: Int
    let text: String

    private static let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800]
    /// Ten years.
    private static let longest = 315_360_000

    init(seconds: Int, text: String) {
        self.seconds = seconds
        self.text = text
    }

    init?(argument: String) {
        guard let unit = argument.last.flatMap({ Self.units[$0] }), let count = Int(argument.dropLast()), count > 0,
            count <= Self.longest / unit
        else { return nil }
        seconds = count * unit
        text = argument
    }

    var defaultValueDescription: String { text }

    /// The moment of its end, as RFC 3339.
    func end(after start: Date) -> String { start.addingTimeInterval(Double(seconds)).formatted(.iso8601) }

    static let help = "as 90s, 30m, 12h, 7d or 2w, at most ten years"
}
