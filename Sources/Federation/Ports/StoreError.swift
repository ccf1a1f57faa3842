/// Why a store did not do what it was asked to do.
package enum StoreError: Error, Sendable, Hashable {
    /// No space is left. Nothing was changed, and the caller may try again.
    case full
    /// The step's lease is no longer valid: somebody else holds it, or its job is done. Nothing was changed.
    case fenced
    case exists
    /// The store's folder or database was moved or deleted while the server ran.
    case gone
    /// A file is no archive, or its content is invalid.
    case unsound(String)
    /// Anything else; the text is for the log, not for clients.
    case failed(String)
}
