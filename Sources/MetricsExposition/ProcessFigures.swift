import Glibc

/// What the kernel says of this process.
package struct ProcessFigures: Sendable {
    package let cpuSeconds: Double
    package let residentBytes: Int
    package let virtualBytes: Int
    package let threads: Int
    package let openFiles: Int
    /// How many files the process may open.
    package let mostOpenFiles: Int
    /// Seconds since 1970.
    package let startTime: Double

    /// Reads them now; nil where `/proc` is missing.
    package init?() {
        guard let stat = Self.read("/proc/self/stat"), let end = stat.lastIndex(of: ")"),
            let boot = Self.bootTime()
        else { return nil }
        // The program's name may contain spaces. The fields after it begin with the third, the state.
        let fields = stat[stat.index(after: end)...].split(separator: " ").map { Double($0) ?? 0 }
        guard fields.count > 21 else { return nil }
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        cpuSeconds = (fields[11] + fields[12]) / ticks
        threads = Int(fields[17])
        startTime = boot + fields[19] / ticks
        virtualBytes = Int(fields[20])
        residentBytes = Int(fields[21]) * Int(sysconf(Int32(_SC_PAGESIZE)))
        openFiles = Self.entryCount(in: "/proc/self/fd")
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        mostOpenFiles = Int(clamping: limit.rlim_cur)
    }

    private static func bootTime() -> Double? {
        read("/proc/stat")?.split(separator: "\n").first { $0.hasPrefix("btime ") }.flatMap { Double($0.dropFirst(6)) }
    }

    private static func entryCount(in folder: String) -> Int {
        guard let stream = opendir(folder) else { return 0 }
        defer { closedir(stream) }
        var count = 0
        while readdir(stream) != nil { count += 1 }
        // Not `.`, `..` and the stream's own.
        return max(0, count - 3)
    }

    private static func read(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = Glibc.read(descriptor, &block, block.count)
            guard count > 0 else { break }
            bytes += block[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension ProcessFigures {
    /// The names that other servers use too.
    package static let declarations: [MetricDeclaration] = [
        .init("process_cpu_seconds_total", .counter, unit: "seconds", "Processor time of the process."),
        .init("process_resident_memory_bytes", .gauge, unit: "bytes", "Resident memory of the process."),
        .init("process_virtual_memory_bytes", .gauge, unit: "bytes", "Virtual memory of the process."),
        .init("process_open_fds", .gauge, "Open files and sockets of the process."),
        .init("process_max_fds", .gauge, "The limit of open files and sockets."),
        .init("process_threads", .gauge, "Threads of the process."),
        .init(
            "process_start_time_seconds", .gauge, unit: "seconds", "When the process started, in seconds since 1970."),
    ]

    /// The figures in the order of `declarations`.
    package var families: [MetricFamily] {
        let values = [
            cpuSeconds, Double(residentBytes), Double(virtualBytes), Double(openFiles), Double(mostOpenFiles),
            Double(threads), startTime,
        ]
        return zip(Self.declarations, values).map { declaration, value in
            var family = MetricFamily(declaration)
            family.add(value)
            return family
        }
    }
}
