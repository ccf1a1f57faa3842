import Glibc

/// The file in which a client keeps what the blocks below the trained ones give for its texts.
package struct TrunkFile: Sendable, Hashable {
    package var path: String
    /// The most bytes of the file.
    package var limit: Int

    package init(path: String, limit: Int) {
        self.path = path
        self.limit = limit
    }

    /// The most bytes where the client sets none: 1 GiB, or a tenth of what is free in the folder.
    package static func usualLimit(in folder: String) -> Int {
        var status = statvfs()
        guard statvfs(folder, &status) == 0 else { return 0 }
        return min(1 << 30, Int(clamping: UInt64(status.f_bavail) * UInt64(status.f_frsize) / 10))
    }
}
