extension String {
    /// The order of names in files and in sums: by their UTF-8 bytes, which no locale or normalisation changes.
    package func precedes(_ other: String) -> Bool {
        utf8.lexicographicallyPrecedes(other.utf8)
    }
}
