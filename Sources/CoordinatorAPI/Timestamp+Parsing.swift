import Federation

extension Timestamp {
    /// Reads RFC 3339, such as `2026-11-21T03:43:00.25+01:00`; `nil` for anything else, and for years before 1970.
    init?(timestamp text: String) {
        var scanner = TimestampScanner(text)
        guard let year = scanner.number(4), scanner.skip("-"), let month = scanner.number(2), scanner.skip("-"),
            let day = scanner.number(2), scanner.skip("Tt "), let hour = scanner.number(2), scanner.skip(":"),
            let minute = scanner.number(2), scanner.skip(":"), let second = scanner.number(2),
            let milliseconds = scanner.fraction(), let offset = scanner.offset(), scanner.isAtEnd
        else { return nil }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let lengths: [Int64] = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        // A leap second counts as the first of the next minute.
        guard year >= 1970, (1...12).contains(month), (1...lengths[Int(month) - 1]).contains(day), hour <= 23,
            minute <= 59, second <= 60
        else { return nil }
        let earlier = year - 1
        let leapDays = earlier / 4 - earlier / 100 + earlier / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400)
        let days = 365 * (year - 1970) + leapDays + lengths[..<(Int(month) - 1)].reduce(0, +) + day - 1
        let seconds = days * 86_400 + hour * 3600 + (minute - offset) * 60 + second
        self.init(milliseconds: seconds * 1000 + milliseconds)
    }
}

/// Reads a timestamp from left to right.
private struct TimestampScanner {
    private var rest: Substring.UTF8View

    init(_ text: String) { rest = text[...].utf8 }

    var isAtEnd: Bool { rest.isEmpty }

    /// Exactly so many digits.
    mutating func number(_ digits: Int) -> Int64? {
        var value: Int64 = 0
        for _ in 0..<digits {
            guard let digit = digit() else { return nil }
            value = 10 * value + digit
        }
        return value
    }

    /// One of the characters.
    mutating func skip(_ characters: String) -> Bool {
        guard let first = rest.first, characters.utf8.contains(first) else { return false }
        rest.removeFirst()
        return true
    }

    /// The milliseconds of a fraction, 0 where there is none; finer digits are dropped.
    mutating func fraction() -> Int64? {
        guard skip(".") else { return 0 }
        guard var value = digit().map({ 100 * $0 }) else { return nil }
        var weight: Int64 = 10
        while let digit = digit() {
            value += weight * digit
            weight /= 10
        }
        return value
    }

    /// The minutes by which local time is ahead of UTC.
    mutating func offset() -> Int64? {
        if skip("Zz") { return 0 }
        let isAhead = skip("+")
        guard isAhead || skip("-"), let hours = number(2), skip(":"), let minutes = number(2), hours <= 23,
            minutes <= 59
        else { return nil }
        return (isAhead ? 1 : -1) * (60 * hours + minutes)
    }

    private mutating func digit() -> Int64? {
        guard let first = rest.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return nil }
        rest.removeFirst()
        return Int64(first - UInt8(ascii: "0"))
    }
}
