/// Keeps federations, rounds, updates and the audit log.
///
/// What returned is durable; what threw changed nothing. Several servers may share a store.
package protocol MetadataStore: Sendable {
    /// All federations; one that cannot be understood does not keep the others back.
    func federations() async throws(StoreError) -> StoredFederations
    /// One of them as it is stored now; nil where there is none of this name.
    func federation(_ federation: FederationID) async throws(StoreError) -> StoredFederation?
    /// Throws `.exists` where the name is taken, also by one that was deleted and did not release it.
    func create(_ federation: StoredFederation) async throws(StoreError)
    /// Takes one step under the federation's lock, in one transaction.
    ///
    /// `decide` gets the federation as it is stored: the caller's copy, brought up to date where somebody else has
    /// written since. What it answers is stored and made known to the followers (see `StepFeed`) before this returns; a
    /// step without changes is not stored. `decide` may run again where the transaction had to be repeated: only its
    /// last answer counts.
    ///
    /// - Parameter copy: the federation as the caller knows it, at a revision that was stored once.
    /// - Returns: the second part of the answer.
    func step<Outcome: Sendable>(
        on copy: FederationMachine,
        decide: @escaping @Sendable (FederationMachine) -> (step: FederationStep, outcome: Outcome)
    ) async throws(StoreError) -> Outcome
    /// Drops a federation whose creation could not be completed.
    func discard(_ federation: FederationID) async throws(StoreError)
    /// Deletes a federation and all that it holds, but for the head of its audit log, and gives its room back.
    func delete(
        _ federation: FederationID, releasing: Bool, at now: Timestamp
    ) async throws(StoreError) -> DepartedFederation
    func round(_ number: Int, of federation: FederationID) async throws(StoreError) -> RoundMachine?
    /// Rounds below `before`, newest first.
    func rounds(before: Int, limit: Int, of federation: FederationID) async throws(StoreError) -> [ListedRound]
    /// Events after `id`, oldest first.
    func events(after id: Int64, limit: Int, of federation: FederationID) async throws(StoreError) -> [StoredEvent]
    /// A list that an event has by its digest; nil where no event has it.
    func list(_ digest: ContentDigest, of federation: FederationID) async throws(StoreError) -> ClientList?
    /// Whether the store can be written now.
    func probe() async throws(StoreError)
}

/// Moves whole federations between stores.
package protocol ArchiveStore: Sendable {
    /// Writes a federation as an archive to a file of the spool.
    func archive(_ federation: FederationID) async throws(StoreError) -> SpoolFile
    /// Takes in the federation of an archive; throws `.exists` where its name is taken, `.unsound` for what is no archive.
    func takeArchive(_ spool: SpoolFile) async throws(StoreError) -> StoredFederation
}
