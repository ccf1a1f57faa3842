/// Keeps federations, rounds, updates and the audit log.
///
/// A write is durable on return; a call that throws changed nothing. Several servers may share a store.
package protocol MetadataStore: Sendable {
    /// All federations. One that cannot be read does not prevent the others from being returned.
    func federations() async throws(StoreError) -> StoredFederations
    /// One federation as it is stored now; nil where there is none of this name.
    func federation(_ federation: FederationID) async throws(StoreError) -> StoredFederation?
    /// Creates a federation. Throws `.exists` where the name is taken, also by a deleted federation that did not
    /// release it.
    func create(_ federation: StoredFederation) async throws(StoreError)
    /// The federation as it is stored now: the caller's copy, updated where somebody else has written since.
    ///
    /// - Parameter copy: the federation that the caller has, at a revision that was stored once.
    func current(_ copy: FederationMachine) async throws(StoreError) -> FederationMachine
    /// Takes one step under the federation's lock, in one transaction.
    ///
    /// `decide` receives the stored federation: the caller's copy, updated where somebody else has written since. Its
    /// step is stored and announced to followers (see `StepFeed`) before this returns. A step without changes is not
    /// stored. If the transaction is repeated, `decide` runs again, and only its last result counts.
    ///
    /// - Parameter copy: the federation that the caller has, at a revision that was stored once.
    /// - Returns: the second part of the result of `decide`.
    func step<Outcome: Sendable>(
        on copy: FederationMachine,
        decide: @escaping @Sendable (FederationMachine) -> (step: FederationStep, outcome: Outcome)
    ) async throws(StoreError) -> Outcome
    /// Deletes a federation whose creation was not completed.
    func discard(_ federation: FederationID) async throws(StoreError)
    /// Deletes a federation with all its data except the head of its audit log, and frees the space.
    func delete(
        _ federation: FederationID, releasing: Bool, at now: Timestamp
    ) async throws(StoreError) -> DepartedFederation
    /// One round; nil where there is none with this number.
    func round(_ number: Int, of federation: FederationID) async throws(StoreError) -> RoundMachine?
    /// A client's update of a round, as long as it is held; nil where there is none.
    func update(
        of client: ClientName, round: Int, in federation: FederationID
    ) async throws(StoreError) -> HeldUpdate?
    /// Rounds below `before`, newest first.
    func rounds(before: Int, limit: Int, of federation: FederationID) async throws(StoreError) -> [ListedRound]
    /// What the rounds below `before` know of a client, newest first; rounds that know nothing of it are left out.
    func rounds(
        knowing client: ClientName, before: Int, limit: Int, of federation: FederationID
    ) async throws(StoreError) -> [ClientRound]
    /// The evaluation of a round, with its places; nil where the round was not evaluated.
    func evaluation(ofRound round: Int, of federation: FederationID) async throws(StoreError) -> EvaluationRound?
    /// The evaluations of these rounds, without their places.
    func evaluations(
        ofRounds rounds: ClosedRange<Int>, of federation: FederationID
    ) async throws(StoreError) -> [ListedEvaluation]
    /// Events after `id`, oldest first.
    func events(after id: Int64, limit: Int, of federation: FederationID) async throws(StoreError) -> [StoredEvent]
    /// Events before `id`, newest first.
    func events(before id: Int64, limit: Int, of federation: FederationID) async throws(StoreError) -> [StoredEvent]
    /// The list with the digest that an event names; nil where no event names it.
    func list(_ digest: ContentDigest, of federation: FederationID) async throws(StoreError) -> ClientList?
    /// Throws where the store cannot be written now.
    func probe() async throws(StoreError)
}

/// An update that a round holds.
package struct HeldUpdate: Sendable, Hashable {
    package let update: Update
    /// The number of updates that the round holds.
    package let received: Int

    package init(update: Update, received: Int) {
        self.update = update
        self.received = received
    }
}

extension RoundMachine {
    /// A client's update, as long as it is held.
    package func heldUpdate(of client: ClientName) -> HeldUpdate? {
        held(of: client).map { HeldUpdate(update: $0, received: receivedCount) }
    }
}

/// Moves whole federations between stores.
package protocol ArchiveStore: Sendable {
    /// Writes a federation as an archive to a staged file.
    func archive(_ federation: FederationID) async throws(StoreError) -> SpoolFile
    /// Takes in the federation of an archive. Throws `.exists` where its name is taken, and `.unsound` where the
    /// archive is invalid.
    func takeArchive(_ spool: SpoolFile) async throws(StoreError) -> StoredFederation
}
