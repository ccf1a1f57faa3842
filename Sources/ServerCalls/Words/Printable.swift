extension String {
    /// One line of limited length without control characters, because a terminal would obey them.
    package var printable: String {
        let most = 4000
        return String(
            String.UnicodeScalarView(
                unicodeScalars.prefix(most).map { scalar in
                    switch scalar.properties.generalCategory {
                    case .control, .lineSeparator, .paragraphSeparator: " "
                    default: scalar
                    }
                }))
    }
}
