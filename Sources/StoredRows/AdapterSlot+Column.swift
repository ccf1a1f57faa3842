package import Federation

extension AdapterSlot {
    /// The stored form.
    package var column: String {
        switch self {
        case .adapter: "adapter"
        case .merge: "merge"
        case .mergeTotal: "merge.total"
        case .moment(let index): "moment.\(index)"
        }
    }
}
