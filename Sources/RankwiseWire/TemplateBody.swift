/// What putting a part of a template answers.
package struct TemplateBody: Codable, Sendable, Hashable {
    /// `draft` until both parts are there, then `waiting`.
    package var state: String
    /// Of the adapter's file, once it is there.
    package var digest: String?
    package var bytes: Int?
    /// The parts that are still to come, as the paths that they are put to.
    package var awaited: [String]

    package init(state: String, digest: String?, bytes: Int?, awaited: [String]) {
        self.state = state
        self.digest = digest
        self.bytes = bytes
        self.awaited = awaited
    }
}
