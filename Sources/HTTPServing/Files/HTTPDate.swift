import CLinux
import Foundation

/// The current time in the format of `Date`, formatted once a second.
struct HTTPDate {
    private(set) var text: [UInt8] = []
    private var second: time_t = -1

    mutating func update() {
        let now = time(nil)
        guard now != second else { return }
        second = now
        text = Self.format(now)
    }

    /// IMF-fixdate of RFC 9110.
    static func format(_ second: time_t) -> [UInt8] {
        var second = second
        var parts = tm()
        gmtime_r(&second, &parts)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let day = days[Int(parts.tm_wday)]
        let month = months[Int(parts.tm_mon)]
        let date = "\(two(parts.tm_mday)) \(month) \(1900 + parts.tm_year)"
        return Array("\(day), \(date) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT".utf8)
    }
}
