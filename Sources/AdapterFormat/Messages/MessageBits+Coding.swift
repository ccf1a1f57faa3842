/// One row of a quantised tensor is an output channel: q = round((x − min) / scale), x = min + scale·q.
///
/// FLoCoRA (arXiv 2406.14082), section III.
extension MessageBits {
    /// The parameters that turn one channel's codes into numbers.
    struct Channel: Sendable, Hashable {
        /// 0 where every number is the minimum.
        let scale: Float
        let minimum: Float
    }

    /// Quantises one row. Decoded numbers are off by at most half a step, plus the rounding to Float.
    ///
    /// - Parameters:
    ///   - row: finite numbers.
    ///   - target: exactly the bytes of the row; the padding of an odd row becomes zero.
    /// - Returns: nil where a Float cannot hold the distance between the numbers.
    func encode(_ row: UnsafeBufferPointer<Float>, into target: UnsafeMutableRawBufferPointer) -> Channel? {
        precondition(target.count == byteCount(columns: row.count), "a buffer of another length than its row")
        guard let channel = channel(of: row) else { return nil }
        guard channel.scale > 0 else {
            target.initializeMemory(as: UInt8.self, repeating: 0)
            return channel
        }
        let scale = Double(channel.scale)
        let minimum = Double(channel.minimum)
        let greatest = Double(levels)
        // From 2⁵² on, a Double has no fraction. So the addition rounds to the nearest whole number, ties to even, and
        // its low byte is the code.
        func code(_ value: Float) -> UInt8 {
            let steps = Swift.min((Double(value) - minimum) / scale, greatest)
            return UInt8(truncatingIfNeeded: (steps + 0x1p52).bitPattern)
        }
        switch self {
        case .eight:
            for index in row.indices { target[index] = code(row[index]) }
        case .four:
            for index in 0..<row.count / 2 {
                target[index] = code(row[2 * index]) | code(row[2 * index + 1]) << 4
            }
            if row.count % 2 == 1 { target[row.count / 2] = code(row[row.count - 1]) }
        }
        return channel
    }

    /// Decodes one row.
    ///
    /// - Precondition: `source` holds exactly the bytes of a row of `target.count` numbers.
    func decode(_ source: UnsafeRawBufferPointer, of channel: Channel, into target: UnsafeMutableBufferPointer<Float>) {
        precondition(source.count == byteCount(columns: target.count), "a buffer of another length than its row")
        guard channel.scale != 0 else {
            target.update(repeating: channel.minimum)
            return
        }
        switch self {
        case .eight:
            for index in target.indices { target[index] = channel.minimum + channel.scale * Float(source[index]) }
        case .four:
            for index in 0..<target.count / 2 {
                target[2 * index] = channel.minimum + channel.scale * Float(source[index] & 0xF)
                target[2 * index + 1] = channel.minimum + channel.scale * Float(source[index] >> 4)
            }
            if target.count % 2 == 1 {
                target[target.count - 1] = channel.minimum + channel.scale * Float(source[target.count / 2] & 0xF)
            }
        }
    }

    /// The channel of a row; nil where its greatest code would not decode to a finite number.
    private func channel(of row: UnsafeBufferPointer<Float>) -> Channel? {
        guard let first = row.first else { return Channel(scale: 0, minimum: 0) }
        var least = first
        var greatest = first
        for value in row {
            least = value < least ? value : least
            greatest = value > greatest ? value : greatest
        }
        guard least < greatest else { return Channel(scale: 0, minimum: least) }
        let step = (Double(greatest) - Double(least)) / Double(levels)
        var scale = Float(step)
        // A subnormal step is coarse. Rounded down, it would be zero or not reach the greatest numbers.
        if !scale.isNormal, Double(scale) < step { scale = scale.nextUp }
        guard (least + scale * Float(levels)).isFinite else { return nil }
        return Channel(scale: scale, minimum: least)
    }
}
