import Glibc

/// The room on the disk of a folder.
package struct DiskFigures: Sendable {
    /// What this process may still use.
    package let freeBytes: Int
    package let sizeBytes: Int

    /// Asks the kernel; nil where the folder cannot be reached.
    package init?(folder: String) {
        var status = statvfs()
        guard statvfs(folder, &status) == 0 else { return nil }
        freeBytes = Int(clamping: UInt64(status.f_bavail) * UInt64(status.f_frsize))
        sizeBytes = Int(clamping: UInt64(status.f_blocks) * UInt64(status.f_frsize))
    }
}
