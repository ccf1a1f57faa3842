import ArgumentParser

/// The layers that a client trains: all, or those of some of the model's highest blocks.
struct LayerChoice: ExpressibleByArgument, Equatable {
    /// nil for all.
    let topBlocks: Int?

    init?(argument: String) {
        if argument == "all" {
            topBlocks = nil
            return
        }
        guard argument.hasPrefix("top:"), let count = Int(argument.dropFirst(4)), count >= 1 else { return nil }
        topBlocks = count
    }
}

/// A number of bytes, such as 300MiB.
struct MemorySize: ExpressibleByArgument, Equatable {
    let bytes: Int

    init?(argument: String) {
        for (suffix, factor) in [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("", 1)]
        where argument.hasSuffix(suffix) {
            guard let number = Int(argument.dropLast(suffix.count)), number >= 1 else { return nil }
            let (bytes, overflows) = number.multipliedReportingOverflow(by: factor)
            guard !overflows else { return nil }
            self.bytes = bytes
            return
        }
        return nil
    }
}
