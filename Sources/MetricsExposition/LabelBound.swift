/// Decides which subjects get a label of their own, so that the number of time series stays bounded.
///
/// The others share the label `_other`. A subject keeps its label as long as it is among the first.
package struct LabelBound: Sendable {
    /// The label of all subjects beyond the bound. No federation has this name: names begin with a letter or digit.
    package static let other = "_other"

    private let named: Set<String>
    /// The number of subjects that share the label.
    package let unnamedCount: Int

    /// - Parameters:
    ///   - subjects: the most important first.
    ///   - limit: how many get a label of their own.
    package init(_ subjects: [String], limit: Int) {
        named = Set(subjects.prefix(max(0, limit)))
        unnamedCount = subjects.count - named.count
    }

    package func label(of subject: String) -> String { named.contains(subject) ? subject : Self.other }
}
