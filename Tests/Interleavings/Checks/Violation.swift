/// A broken invariant.
package struct Violation: Error, Sendable, Hashable, CustomStringConvertible {
    package let invariant: Invariant
    package let detail: String

    package var description: String { "\(invariant.rawValue): \(detail)" }
}
