/// One socket and how far its current request has come; it holds no buffer while nothing is under way.
///
/// - Invariant: confined to its shard, which alone reads, writes and closes the descriptor.
final class Connection {
    enum Phase {
        /// Waiting for a head or reading one. Exits: `handling`, `writing`, `closed`.
        case head
        /// A handler runs and may read the body. Exits: `writing`, `closed`.
        case handling
        /// An answer is not yet taken whole by the socket. Exits: `head`, `lingering`, `closed`.
        case writing
        /// All is said; the peer's bytes are dropped so that it can read the answer. Exit: `closed`.
        case lingering
        case closed
    }

    let key: ConnectionTable.Key
    let descriptor: Int32
    let peer: SocketAddress
    let admission: ConnectionLimiter.Admission
    /// Nil in the clear.
    let tls: TLSSession?
    var phase = Phase.head
    var parser = RequestHeadParser()
    /// Bytes read but not used yet, from `backlogStart` on.
    var backlog: [UInt8] = []
    var backlogStart = 0
    /// What may be tried without asking the kernel in vain; set by its edges.
    var isReadable = false
    var isWritable = true
    var peerFinished = false
    /// Whether a frame further up the stack drives this connection already.
    var isAdvancing = false
    /// Nanoseconds on the shard's clock; what it means depends on the phase.
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

    /// Whether bytes of the request's body may still be in the socket.
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

/// What a connection keeps of the request that its handler works on.
struct CurrentRequest {
    let isHead: Bool
    let isVersion10: Bool
    var keepsAlive: Bool
    var awaitsContinue: Bool
    var body: BodyDecoder
    var bodyBytes = 0
    /// Whether its bytes are counted as in flight when they come, as it did not say how many.
    let isUnsized: Bool
    /// Once the body has failed, every later reader fails alike.
    var bodyError: RequestBodyError?
    var reader: BodyReader?
    /// Set once the body is to end (`RequestBody.stop`): so much may still come of what is on its way.
    var bytesUntilStop: Int?
    var task: Task<Void, Never>?
    var isParked = false
    /// Since when the reader has been waiting for the peer, and not for a handler or a disk.
    var waitsSince: UInt64?
    /// The waiting, in nanoseconds, and the bytes over which the body's rate is taken.
    var rateWaited: UInt64 = 0
    var rateBytes = 0
    /// Counts what comes, where there is a body.
    var tally: BodyTally?
}

/// Who waits for the body's bytes.
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

/// A body on its way into a file, in blocks of which few are under way at once.
struct FileWrite {
    let file: any BodySink
    let limit: Int
    let continuation: CheckedContinuation<Result<Void, RequestBodyError>, Never>
    var blocksUnderWay = 0
}

/// What the socket has not taken yet of an answer.
struct Outgoing {
    /// The rest of the head, copied out of the shard's scratch.
    var head: [UInt8] = []
    var body: Response.Body
    /// How much of `body` is sent.
    var sent = 0
    var after: Ending
}

/// What becomes of a connection after an answer.
enum Ending {
    case keepAlive
    case close
    /// Close, but let the peer read the answer though bytes of its are unread.
    case linger
}
