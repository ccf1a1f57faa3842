extension Int {
    /// The nearest integer, clamped to the range of Int; 0 for NaN.
    package init(clamping value: Double) {
        let rounded = value.rounded()
        self = Int(exactly: rounded) ?? (rounded.isNaN ? 0 : rounded < 0 ? .min : .max)
    }

    /// The count with its noun, for a person to read: "1 update", "2 updates".
    ///
    /// - Parameter noun: a singular whose plural ends in s.
    package func counted(_ noun: String) -> String {
        "\(self) \(self == 1 ? noun : noun + "s")"
    }
}
