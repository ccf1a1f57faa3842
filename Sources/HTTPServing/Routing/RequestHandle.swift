/// A handler's hold on the connection it answers: never the descriptor, which may by now belong to another peer.
struct RequestHandle: Sendable {
    /// Names one request of one connection; no later request or connection has the same.
    struct ID: Sendable, Hashable {
        let connection: ConnectionTable.Key
        let serial: UInt32
    }

    let id: ID
    let shard: Shard
    let tally: BodyTally?
}
