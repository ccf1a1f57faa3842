import CLinux
import Foundation

/// Has the kernel write a growing file back while it grows, so that the final sync finds little to do.
struct WriteBack {
    private static let step = 4 << 20

    /// Up to where the kernel was asked.
    private var end: Int

    /// - Parameter offset: where what is written begins.
    init(from offset: Int = 0) { end = offset }

    mutating func follow(to length: Int, of descriptor: Int32) {
        guard length - end >= Self.step else { return }
        sync_file_range(descriptor, Int64(end), Int64(length - end), UInt32(linux_sync_file_range_write))
        end = length
    }
}
