import Federation
import Synchronization

/// One server's stream of stored steps. Revisions only rise in it, so late notifications coalesce.
final class StoreListener: Sendable {
    let connection: Int
    let steps: AsyncStream<StoredStep>
    private let federation: FederationID
    private let continuation: AsyncStream<StoredStep>.Continuation
    private let last: Mutex<Int64>

    init(_ federation: FederationID, from revision: Int64, connection: Int) {
        self.federation = federation
        self.connection = connection
        last = Mutex(revision)
        (steps, continuation) = AsyncStream.makeStream(of: StoredStep.self)
    }

    func hear(_ revision: Int64) {
        let isNew = last.withLock { last in
            guard last < revision else { return false }
            last = revision
            return true
        }
        if isNew { continuation.yield(StoredStep(federation: federation, revision: revision)) }
    }

    func end() { continuation.finish() }
}
