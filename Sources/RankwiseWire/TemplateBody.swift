/// The answer after a part of a template was uploaded.
package struct TemplateBody: Codable, Sendable, Hashable {
    /// `draft` until both parts are there, then `waiting`.
    package var state: String
    /// The digest of the adapter's file, once it is there.
    package var digest: String?
    package var bytes: Int?
    /// The missing parts, as the paths to upload them to.
    package var awaited: [String]

    package init(state: String, digest: String?, bytes: Int?, awaited: [String]) {
        self.state = state
        self.digest = digest
        self.bytes = bytes
        self.awaited = awaited
    }
}
