/// The received parts of a template: its adapter and its configuration.
package struct StoredTemplate: Sendable, Hashable {
    /// The digest of the adapter's blob.
    package var digest: ContentDigest?
    package var byteCount: Int
    /// The text of its `adapter_config.json`.
    package var configuration: String?

    package init(digest: ContentDigest? = nil, byteCount: Int = 0, configuration: String? = nil) {
        self.digest = digest
        self.byteCount = byteCount
        self.configuration = configuration
    }
}

/// Keeps the templates of drafts over restarts. A write is durable on return; a call that throws changed nothing.
package protocol TemplateStore: Sendable {
    /// The received parts of a federation's template.
    func template(of federation: FederationID) async throws(StoreError) -> StoredTemplate
    /// Records a published blob as the template's adapter, in place of an earlier one.
    func keepTemplate(
        _ digest: ContentDigest, byteCount: Int, of federation: FederationID
    ) async throws(StoreError)
    /// Records the template's configuration, in place of an earlier one.
    func keepTemplateConfiguration(_ text: String, of federation: FederationID) async throws(StoreError)
    /// Deletes the received parts; the next sweep deletes the blob.
    func dropTemplate(of federation: FederationID) async throws(StoreError)
}

/// Keeps the `adapter_config.json` that a client sent before its update, as long as its round needs it.
package protocol ConfigurationStore: Sendable {
    /// Keeps a client's configuration for a round, in place of an earlier one.
    func keepConfiguration(
        _ text: String, of client: ClientName, round: Int, in federation: FederationID
    ) async throws(StoreError)
    /// nil where none was sent.
    func configuration(
        of client: ClientName, round: Int, in federation: FederationID
    ) async throws(StoreError) -> String?
}
