import CLinux
import Foundation

/// The system calls that move bytes through a socket without waiting.
enum Socket {
    enum Outcome {
        /// When reading, 0 means that the peer has closed.
        case moved(Int)
        case wouldBlock
        case broken
    }

    static func receive(_ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer) -> Outcome {
        attempt { recv(descriptor, buffer.baseAddress, buffer.count, 0) }
    }

    /// Sends both pieces as one, the second from an offset.
    /// - Parameter moreFollows: holds back a short packet until more data follow.
    static func send(
        _ descriptor: Int32, _ first: [UInt8], _ second: [UInt8], from offset: Int = 0, moreFollows: Bool = false
    ) -> Outcome {
        first.withUnsafeBytes { first in
            second.withUnsafeBytes { whole in
                let rest = UnsafeRawBufferPointer(rebasing: whole[min(offset, whole.count)...])
                return withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { vectors in
                    vectors[0] = iovec(
                        iov_base: UnsafeMutableRawPointer(mutating: first.baseAddress), iov_len: first.count)
                    vectors[1] = iovec(
                        iov_base: UnsafeMutableRawPointer(mutating: rest.baseAddress), iov_len: rest.count)
                    var message = msghdr()
                    message.msg_iov = vectors.baseAddress
                    message.msg_iovlen = 2
                    let flags = Int32(MSG_NOSIGNAL) | (moreFollows ? Int32(MSG_MORE) : 0)
                    return attempt { sendmsg(descriptor, &message, flags) }
                }
            }
        }
    }

    static func send(_ descriptor: Int32, file: Int32, offset: Int, count: Int) -> Outcome {
        var offset = off_t(offset)
        return attempt { sendfile(descriptor, file, &offset, count) }
    }

    private static func attempt(_ call: () -> Int) -> Outcome {
        while true {
            let count = call()
            if count >= 0 { return .moved(count) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            default: return .broken
            }
        }
    }
}
