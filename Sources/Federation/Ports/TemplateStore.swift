/// What has come of a template, whose two parts come one after the other.
package struct StoredTemplate: Sendable, Hashable {
    /// The adapter: a blob, by its digest.
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

/// Keeps the templates of federations in draft, over restarts. What returned is durable; what threw changed nothing.
package protocol TemplateStore: Sendable {
    /// All that has come of a federation's template.
    func template(of federation: FederationID) async throws(StoreError) -> StoredTemplate
    /// Records a published blob as the template's, in place of an earlier one.
    func keepTemplate(
        _ digest: ContentDigest, byteCount: Int, of federation: FederationID
    ) async throws(StoreError)
    func keepTemplateConfiguration(_ text: String, of federation: FederationID) async throws(StoreError)
    /// Forgets what has come; the blob goes with the next sweep.
    func dropTemplate(of federation: FederationID) async throws(StoreError)
}

/// Keeps the `adapter_config.json` that a client sent ahead of its update, until its round needs it no more.
package protocol ConfigurationStore: Sendable {
    func keepConfiguration(
        _ text: String, of client: ClientName, round: Int, in federation: FederationID
    ) async throws(StoreError)
    /// Nil where none was sent.
    func configuration(
        of client: ClientName, round: Int, in federation: FederationID
    ) async throws(StoreError) -> String?
}
