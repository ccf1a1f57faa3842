extension Int {
    /// The count with what is counted, for a person to read: "1 update", "2 updates".
    ///
    /// - Parameter noun: in the singular; an s makes it plural.
    package func counted(_ noun: String) -> String {
        "\(self) \(self == 1 ? noun : noun + "s")"
    }
}
