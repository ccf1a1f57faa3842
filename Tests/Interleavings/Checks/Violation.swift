/// A broken invariant.
package struct Violation: Error, Sendable, Hashable, CustomStringConvertible {
    /// The invariant, by name.
    package let invariant: String
    package let detail: String

    package var description: String { "\(invariant): \(detail)" }
}
