/// All stores that the coordinator needs, by port.
///
/// One object may implement several ports, or all of them.
package struct Stores: Sendable {
    package var metadata: any MetadataStore
    package var steps: any StepFeed
    package var presence: any PresenceStore
    package var credentials: any CredentialStore
    package var jobs: any JobStore
    package var parts: any PartStore
    package var blobs: any BlobStore
    package var uploads: any UploadStore
    package var adapters: any AdapterStore
    package var templates: any TemplateStore
    package var configurations: any ConfigurationStore
    package var archives: any ArchiveStore

    /// All ports of one store.
    package init(
        _ store: some MetadataStore & StepFeed & PresenceStore & CredentialStore & JobStore & PartStore & BlobStore
            & UploadStore & AdapterStore & TemplateStore & ConfigurationStore & ArchiveStore
    ) {
        metadata = store
        steps = store
        presence = store
        credentials = store
        jobs = store
        parts = store
        blobs = store
        uploads = store
        adapters = store
        templates = store
        configurations = store
        archives = store
    }
}
