/// Why a store did not do what it was asked for.
package enum StoreError: Error, Sendable, Hashable {
    /// No space is left; nothing was changed, and it may be tried again.
    case full
    /// The lease of the step belongs to somebody else by now, or its job is done. Nothing was changed.
    case fenced
    case exists
    /// The place where everything is kept was moved or deleted under the server.
    case gone
    /// An archive is none, or its content cannot be right.
    case unsound(String)
    /// Anything else; the text is for the log, not for clients.
    case failed(String)
}
