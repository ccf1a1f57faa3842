import Glibc

/// The memory of this process and of its machine, as the kernel tells it.
package enum ProcessMemory {
    /// A size of `/proc/self/status` in bytes, such as `VmHWM` or `RssAnon`; 0 where there is none of this name.
    package static func bytes(_ name: String) -> Int { size(name, in: "/proc/self/status") }

    /// The bytes that the system can give without taking them from other programs, and that this process may have by its
    /// control group and those above it.
    package static func freeBytes() -> Int {
        var free = size("MemAvailable", in: "/proc/meminfo")
        var group = line(of: "/proc/self/cgroup") { $0.hasPrefix("0::/") }.map { String($0.dropFirst(4)) }
        while let path = group {
            let folder = "/sys/fs/cgroup/" + path
            if let limit = line(of: folder + "/memory.max").flatMap({ Int($0) }),
                let used = line(of: folder + "/memory.current").flatMap({ Int($0) })
            {
                free = min(free, max(0, limit - used))
            }
            group = path.isEmpty ? nil : path.split(separator: "/").dropLast().joined(separator: "/")
        }
        return free
    }

    private static func size(_ name: String, in path: String) -> Int {
        let line = line(of: path) { $0.hasPrefix(name + ":") }
        return (line.flatMap { Int($0.filter(\.isNumber)) } ?? 0) << 10
    }

    /// The first line that satisfies the condition; nil where there is none.
    private static func line(of path: String, where condition: (String) -> Bool = { _ in true }) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var buffer = [CChar](repeating: 0, count: 4_096)
        while fgets(&buffer, Int32(buffer.count), file) != nil {
            let bytes = buffer.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }
            let line = String(decoding: bytes, as: UTF8.self)
            if condition(line) { return line }
        }
        return nil
    }
}
