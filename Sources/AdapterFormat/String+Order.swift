extension String {
    /// The order of names in files and in sums: by UTF-8 bytes, independent of locale and normalisation.
    package func precedes(_ other: String) -> Bool {
        utf8.lexicographicallyPrecedes(other.utf8)
    }
}
