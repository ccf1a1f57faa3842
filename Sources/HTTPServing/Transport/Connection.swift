/// One socket and the state of its current request; an idle connection holds no buffer.
///
/// - Invariant: confined to its shard, which alone reads, writes and closes the descriptor.
final class Connection {
    enum Phase {
        /// Waits for a head or reads one. Exits: `handling`, `writing`, `closed`.
        case head
        /// A handler runs and may read the body. Exits: `writing`, `closed`.
        case handling
        /// The socket has not taken the whole answer yet. Exits: `head`, `lingering`, `closed`.
        case writing
        /// The answer is sent; the peer's bytes are dropped so that it can read the answer. Exit: `closed`.
        case lingering
        case closed
    }

    let key: ConnectionTable.Key
    let descriptor: Int32
    let peer: SocketAddress
    let admission: ConnectionLimiter.Admission
    /// Nil without TLS.
    let tls: TLSSession?
    var phase = Phase.head
    var parser = RequestHeadParser()
    /// Bytes read but not used yet, from `backlogStart` on.
    var backlog: [UInt8] = []
    var backlogStart = 0
    /// Whether reading or writing may succeed without a wait; set by edge-triggered events.
    var isReadable = false
    var isWritable = true
    var peerFinished = false
    /// Whether a caller up the stack already advances this connection.
    var isAdvancing = false
    /// Nanoseconds on the shard's clock; the meaning depends on the phase.
    var deadline: UInt64
    var serial: UInt32 = 0
    var current: CurrentRequest?
    var outgoing: Outgoing?

    init(
        key: ConnectionTable.Key, descriptor: Int32, peer: SocketAddress, admission: ConnectionLimiter.Admission,
        tls: TLSSession?, deadline: UInt64
    ) {
        self.key = key
        self.descriptor = descriptor
        self.peer = peer
        self.admission = admission
        self.tls = tls
        self.deadline = deadline
    }

    /// Whether the socket may still have bytes of the request's body.
    var awaitsBody: Bool {
        guard phase == .handling, let current else { return false }
        return !current.body.isComplete && current.bodyError == nil
    }

    var backlogCount: Int { backlog.count - backlogStart }

    func dropBacklog() {
        backlog = []
        backlogStart = 0
    }
}

/// The state of the request that the handler works on.
struct CurrentRequest {
    let isHead: Bool
    let isVersion10: Bool
    var keepsAlive: Bool
    var awaitsContinue: Bool
    var body: BodyDecoder
    var bodyBytes = 0
    /// Whether its bytes are counted as in flight when they arrive, because it declared no length.
    let isUnsized: Bool
    /// Once the body has failed, every later read fails in the same way.
    var bodyError: RequestBodyError?
    var reader: BodyReader?
    /// Set once the body must end (`RequestBody.stop`): the number of bytes that may still arrive.
    var bytesUntilStop: Int?
    var task: Task<Void, Never>?
    var isParked = false
    /// The number of the route that took the request, for metrics.
    var route: Int?
    /// On the shard's clock; nil once the handler has waited for something to happen.
    var beganAt: UInt64?
    /// Since when the reader has waited for the peer, and not for a handler or a disk.
    var waitsSince: UInt64?
    /// The waiting time in nanoseconds, and the bytes, from which the body's rate is computed.
    var rateWaited: UInt64 = 0
    var rateBytes = 0
    /// Counts the received bytes, if there is a body.
    var tally: BodyTally?
}

/// The reader that waits for the body's bytes.
enum BodyReader {
    case piece(CheckedContinuation<Result<[UInt8]?, RequestBodyError>, Never>)
    case fileWrite(FileWrite)

    func fail(_ error: RequestBodyError) {
        switch self {
        case .piece(let continuation): continuation.resume(returning: .failure(error))
        case .fileWrite(let fileWrite): fileWrite.continuation.resume(returning: .failure(error))
        }
    }
}

/// A body on its way into a file, in few blocks at once.
struct FileWrite {
    let file: any BodySink
    let limit: Int
    let continuation: CheckedContinuation<Result<Void, RequestBodyError>, Never>
    var blocksUnderWay = 0
}

/// The part of an answer that the socket has not taken yet.
struct Outgoing {
    /// The rest of the head, copied out of the shard's scratch memory.
    var head: [UInt8] = []
    var body: Response.Body
    /// The sent bytes of `body`.
    var sent = 0
    var after: Ending
}

/// What happens to a connection after an answer.
enum Ending {
    case keepAlive
    case close
    /// Close, but drain unread bytes first so that the peer can read the answer.
    case linger
}
