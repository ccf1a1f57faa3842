import CLinux
import Foundation

/// Makes the kernel write a growing file back early, so that little is left for the final sync.
struct WriteBack {
    private static let step = 4 << 20

    /// The end of the range that the kernel was asked to write.
    private var end: Int

    /// - Parameter offset: where the written bytes begin.
    init(from offset: Int = 0) { end = offset }

    mutating func follow(to length: Int, of descriptor: Int32) {
        guard length - end >= Self.step else { return }
        sync_file_range(descriptor, Int64(end), Int64(length - end), UInt32(linux_sync_file_range_write))
        end = length
    }
}
