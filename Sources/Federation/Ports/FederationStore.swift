/// What a step of the machine changed; a store applies all changes of a step in one transaction.
package enum Change: Sendable {
    case settings(FederationSettings)
    case client(Client)
    /// The round's own columns; participations, updates and refusals come as changes of their own.
    case round(RoundMachine)
    case participations([ClientName: RoundMachine.Participation], round: Int)
    case place(ClientName, round: Int, RoundMachine.Participation)
    /// The blob becomes durable under its digest before the row does.
    case update(Update, round: Int, spool: SpoolFile)
    /// An update counts no more, or counts again; what is lost needs its blob no more.
    case status(Update, round: Int)
    /// The round's updates need their blobs no more; with a reason, those that still counted are left out for it.
    case releaseUpdates(round: Int, leftOutFor: String?)
    case refusal(Refusal, round: Int)
    case token(IssuedToken)
    case tokenWithdrawn(id: String)
    /// Clients of the federation whom the next event has by their list's digest; stored once, however often it comes.
    case list(ClientList)
    case event(AuditEvent)
}

/// A file in the store's care that no record refers to yet.
package struct SpoolFile: Sendable, Hashable {
    package let path: String
    package init(path: String) { self.path = path }
}

/// A federation as it is stored.
package struct StoredFederation: Sendable {
    package let machine: FederationMachine
    package let createdAt: Timestamp

    package init(machine: FederationMachine, createdAt: Timestamp) {
        self.machine = machine
        self.createdAt = createdAt
    }
}

/// What a store has of federations.
package struct StoredFederations: Sendable {
    package var sound: [StoredFederation] = []
    package var unreadable: [UnreadableFederation] = []

    package init() {}
}

/// A federation that is stored in a way that this version does not understand.
package struct UnreadableFederation: Sendable {
    package let id: FederationID
    package let reason: String
    /// Who holds tokens of it, as far as that can be read.
    package let tokens: [IssuedToken]
    package let clients: [Client]

    package init(id: FederationID, reason: String, tokens: [IssuedToken], clients: [Client]) {
        self.id = id
        self.reason = reason
        self.tokens = tokens
        self.clients = clients
    }
}

/// One row of the audit log with its number and the hash that binds it to all rows before it.
package struct StoredEvent: Sendable, Hashable {
    package let id: Int64
    package let event: AuditEvent
    package let hash: ContentDigest

    package init(id: Int64, event: AuditEvent, hash: ContentDigest) {
        self.id = id
        self.event = event
        self.hash = hash
    }
}

/// What is left of a federation that was deleted.
package struct DepartedFederation: Sendable, Hashable {
    package let id: FederationID
    /// The hash of the last row of its audit log.
    package let head: ContentDigest
    /// How many rows the log had.
    package let events: Int
    /// Whether another federation may take its name.
    package let isReleased: Bool

    package init(id: FederationID, head: ContentDigest, events: Int, isReleased: Bool) {
        self.id = id
        self.head = head
        self.events = events
        self.isReleased = isReleased
    }
}

/// Keeps federations, rounds, updates and the audit log. What returned is durable; what threw changed nothing.
package protocol FederationStore: Sendable {
    /// All of them; one that cannot be understood does not keep the others back.
    func federations() async throws(StoreError) -> StoredFederations
    /// One of them as it is stored now; nil where there is none of this name.
    func federation(_ federation: FederationID) async throws(StoreError) -> StoredFederation?
    /// Throws `.exists` where the name is taken, also by one that was deleted and did not release it.
    func create(_ federation: StoredFederation) async throws(StoreError)
    /// Stores one step: `machine` is the value after it. Throws `.conflict` unless the stored revision is `revision`.
    func commit(_ changes: [Change], to machine: FederationMachine, from revision: Int64) async throws(StoreError)
    /// Drops a federation whose creation could not be completed.
    func discard(_ federation: FederationID) async throws(StoreError)
    /// Deletes a federation and all that it holds, but for the head of its audit log, and gives its room back.
    func delete(
        _ federation: FederationID, releasing: Bool, at now: Timestamp
    ) async throws(StoreError) -> DepartedFederation
    /// Writes a federation as an archive to a file of the spool.
    func archive(_ federation: FederationID) async throws(StoreError) -> SpoolFile
    /// Takes in the federation of an archive; throws `.exists` where its name is taken, `.unsound` for what is no archive.
    func takeArchive(_ spool: SpoolFile) async throws(StoreError) -> StoredFederation
    func round(_ number: Int, of federation: FederationID) async throws(StoreError) -> RoundMachine?
    /// Rounds below `before`, newest first.
    func rounds(before: Int, limit: Int, of federation: FederationID) async throws(StoreError) -> [ListedRound]
    /// Events after `id`, oldest first.
    func events(after id: Int64, limit: Int, of federation: FederationID) async throws(StoreError) -> [StoredEvent]
    /// A list that an event has by its digest; nil where no event has it.
    func list(_ digest: ContentDigest, of federation: FederationID) async throws(StoreError) -> ClientList?

    /// A fresh path for a body to be streamed to.
    func makeSpoolFile() -> SpoolFile
    /// Forgets a spool file that no record came to refer to.
    func discard(_ spool: SpoolFile) async
    /// The file with a blob's bytes, immutable while a record refers to it.
    func blobPath(of digest: ContentDigest) -> String
    /// Deletes the blobs that no record refers to.
    func sweepBlobs() async throws(StoreError)
    /// Whether the store can be written now.
    func probe() async throws(StoreError)
}

package enum StoreError: Error, Sendable, Hashable {
    /// No space is left; nothing was changed, and it may be tried again.
    case full
    /// The stored revision is another one: somebody else has written to this federation. Nothing was changed; who reads it
    /// again can go on.
    case conflict
    case exists
    /// The place where everything is kept was moved or deleted under the server.
    case gone
    /// An archive is none, or its content cannot be right.
    case unsound(String)
    /// Anything else; the text is for the log, not for clients.
    case failed(String)
}
