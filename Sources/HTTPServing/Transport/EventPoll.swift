import CLinux
import Foundation

/// An edge-triggered epoll set whose members are identified by a token.
///
/// - Invariant: confined to the queue of the shard that owns it.
final class EventPoll {
    struct Readiness: OptionSet {
        let rawValue: UInt32
        static let readable = Readiness(rawValue: EPOLLIN.rawValue)
        static let writable = Readiness(rawValue: EPOLLOUT.rawValue)
        /// The peer has sent its last byte.
        static let finished = Readiness(rawValue: EPOLLRDHUP.rawValue)
        /// Both directions are over.
        static let gone = Readiness(rawValue: EPOLLHUP.rawValue | EPOLLERR.rawValue)
    }

    let descriptor: Int32
    private let events = UnsafeMutableBufferPointer<epoll_event>.allocate(capacity: 256)

    init() throws(HTTPServerError) {
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard descriptor >= 0 else { throw .system("epoll_create1", errno: errno) }
    }

    deinit {
        events.deallocate()
        close(descriptor)
    }

    /// Closing the descriptor removes it.
    func add(_ member: Int32, token: UInt64) -> Bool {
        var event = epoll_event()
        event.events = EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue
        event.data.u64 = token
        return epoll_ctl(descriptor, EPOLL_CTL_ADD, member, &event) == 0
    }

    /// Takes the ready events without waiting.
    func poll(_ body: (UInt64, Readiness) -> Void) {
        let count = epoll_wait(descriptor, events.baseAddress, Int32(events.count), 0)
        for index in 0..<max(0, Int(count)) {
            body(events[index].data.u64, Readiness(rawValue: events[index].events))
        }
    }
}
