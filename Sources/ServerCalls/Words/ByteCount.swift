import Glibc

/// A number of bytes in readable form, such as `1.6 MiB`.
package struct ByteCount: CustomStringConvertible, Sendable, Hashable {
    package var bytes: Int64

    package init(_ bytes: Int64) { self.bytes = bytes }

    package var description: String {
        var value = Double(bytes)
        for unit in ["B", "KiB", "MiB", "GiB"] {
            if value < 1024 { return unit == "B" ? "\(bytes) B" : "\(value.rounded(to: 1)) \(unit)" }
            value /= 1024
        }
        return "\(value.rounded(to: 1)) TiB"
    }
}

extension Double {
    /// In decimal with at most `places` digits after the decimal point.
    package func rounded(to places: Int) -> String {
        let scale = (0..<places).reduce(1.0) { product, _ in product * 10 }
        let value = (self * scale).rounded() / scale
        return value.isFinite ? "\(value)" : "\(self)"
    }

    /// In decimal with exactly `places` digits after the decimal point.
    package func fixed(to places: Int) -> String {
        withVaList([CInt(clamping: places), self]) { arguments in
            // The largest double has 309 digits before the decimal point.
            let text = [CChar](unsafeUninitializedCapacity: 512 + max(0, places)) { buffer, count in
                count = Int(vsnprintf(buffer.baseAddress, buffer.count, "%.*f", arguments))
            }
            return String(decoding: text.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }
}
