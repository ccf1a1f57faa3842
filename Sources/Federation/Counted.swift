extension Int {
    /// The nearest integer, or the one nearest to what no Int holds; 0 for what is no number.
    package init(clamping value: Double) {
        let rounded = value.rounded()
        self = Int(exactly: rounded) ?? (rounded.isNaN ? 0 : rounded < 0 ? .min : .max)
    }

    /// The count with what is counted, for a person to read: "1 update", "2 updates".
    ///
    /// - Parameter noun: in the singular; an s makes it plural.
    package func counted(_ noun: String) -> String {
        "\(self) \(self == 1 ? noun : noun + "s")"
    }
}
