import Glibc

/// A second of the calendar in UTC, as S3's dates name it.
package struct CalendarTime: Sendable, Hashable {
    /// Since 1970-01-01.
    package let seconds: Int64

    package init(seconds: Int64) { self.seconds = seconds }

    /// By this machine's clock.
    package static var now: CalendarTime { CalendarTime(seconds: Int64(time(nil))) }

    /// `20150830T123600Z`, as signatures have it.
    package var compact: String {
        let (year, month, day) = date
        let time = Self.remainder(seconds, 86_400)
        return Self.padded(year, 4) + Self.padded(month, 2) + Self.padded(day, 2) + "T"
            + Self.padded(time / 3600, 2) + Self.padded(time / 60 % 60, 2) + Self.padded(time % 60, 2) + "Z"
    }

    /// `2015-08-30T12:36:00.000Z`, as lists have it.
    package var iso: String {
        let (year, month, day) = date
        let time = Self.remainder(seconds, 86_400)
        return "\(Self.padded(year, 4))-\(Self.padded(month, 2))-\(Self.padded(day, 2))T"
            + "\(Self.padded(time / 3600, 2)):\(Self.padded(time / 60 % 60, 2)):\(Self.padded(time % 60, 2)).000Z"
    }

    /// `Sun, 30 Aug 2015 12:36:00 GMT`, as fields of HTTP have it.
    package var http: String {
        let (year, month, day) = date
        let time = Self.remainder(seconds, 86_400)
        // 1970-01-01 was a Thursday.
        let weekday = Self.weekdays[Int(Self.remainder((seconds - time) / 86_400 + 4, 7))]
        return "\(weekday), \(Self.padded(day, 2)) \(Self.months[Int(month) - 1]) \(Self.padded(year, 4)) "
            + "\(Self.padded(time / 3600, 2)):\(Self.padded(time / 60 % 60, 2)):\(Self.padded(time % 60, 2)) GMT"
    }

    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Reads `2015-08-30T12:36:00Z`, with or without a fraction, which is dropped, and the compact form.
    package init?(parsing text: String) {
        let digits = text.utf8.prefix { $0 != UInt8(ascii: ".") && $0 != UInt8(ascii: "Z") }
        let fraction = text.utf8.dropFirst(digits.count)
        guard fraction.last == UInt8(ascii: "Z"),
            fraction.dropLast().dropFirst().allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        let isCompact = digits.count == 15
        guard isCompact || digits.count == 19 else { return nil }
        let pattern: [UInt8] = Array((isCompact ? "ddddddddTdddddd" : "dddd-dd-ddTdd:dd:dd").utf8)
        var numbers: [Int64] = []
        for (byte, kind) in zip(digits, pattern) {
            if kind == UInt8(ascii: "d") {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
                numbers.append(Int64(byte - UInt8(ascii: "0")))
            } else if byte != kind {
                return nil
            }
        }
        func number(_ range: Range<Int>) -> Int64 { numbers[range].reduce(0) { $0 * 10 + $1 } }
        let (month, day) = (number(4..<6), number(6..<8))
        let (hour, minute, second) = (number(8..<10), number(10..<12), number(12..<14))
        guard (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60 else { return nil }
        seconds = Self.days(number(0..<4), month, day) * 86_400 + hour * 3600 + minute * 60 + second
    }

    /// Reads the date of an HTTP field: `Sun, 06 Nov 1994 08:49:37 GMT`.
    package init?(http text: String) {
        let words = text.split(separator: " ")
        guard words.count == 6, words[5] == "GMT", let month = Self.months.firstIndex(of: String(words[2])),
            let day = Int64(words[1]), let year = Int64(words[3]), (1...31).contains(day), (1...9999).contains(year)
        else { return nil }
        let time = words[4].split(separator: ":").compactMap { Int64($0) }
        guard time.count == 3, (0..<24).contains(time[0]), (0..<60).contains(time[1]), (0...60).contains(time[2]) else {
            return nil
        }
        seconds = Self.days(year, Int64(month) + 1, day) * 86_400 + time[0] * 3600 + time[1] * 60 + time[2]
    }

    // The calendar by Howard Hinnant's "chrono-compatible low-level date algorithms": years begin in March, and 400 of
    // them are one era of 146,097 days.

    private var date: (year: Int64, month: Int64, day: Int64) {
        let day = (seconds - Self.remainder(seconds, 86_400)) / 86_400 + 719_468
        let era = (day - Self.remainder(day, 146_097)) / 146_097
        let dayOfEra = day - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }

    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let era = (year - remainder(year, 400)) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func remainder(_ value: Int64, _ divisor: Int64) -> Int64 {
        let rest = value % divisor
        return rest < 0 ? rest + divisor : rest
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
