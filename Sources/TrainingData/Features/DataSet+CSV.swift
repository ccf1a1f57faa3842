extension DataSet {
    /// The examples as CSV: the features, then the label.
    package var csv: String {
        var lines = ""
        for (example, label) in labels.enumerated() {
            for feature in features[example * width..<(example + 1) * width] {
                lines += Int(exactly: feature).map(String.init) ?? "\(feature)"
                lines += ","
            }
            lines += "\(label)\n"
        }
        return lines
    }
}
