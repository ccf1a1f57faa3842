import ArgumentParser

/// A number of bytes, such as 300MiB; of memory or of disk space.
struct ByteCount: ExpressibleByArgument, Equatable {
    let bytes: Int

    init?(argument: String) {
        for (suffix, factor) in [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("", 1)]
        where argument.hasSuffix(suffix) {
            guard let number = Int(argument.dropLast(suffix.count)), number >= 0 else { return nil }
            let (bytes, overflows) = number.multipliedReportingOverflow(by: factor)
            guard !overflows else { return nil }
            self.bytes = bytes
            return
        }
        return nil
    }
}
