/// A handler's reference to its connection. It never holds the descriptor, which may belong to another peer by now.
struct RequestHandle: Sendable {
    /// Identifies one request of one connection; no later request or connection gets the same value.
    struct ID: Sendable, Hashable {
        let connection: ConnectionTable.Key
        let serial: UInt32
    }

    let id: ID
    let shard: Shard
    let tally: BodyTally?
}
